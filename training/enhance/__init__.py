"""How the enhancement networks of the wheel are made: pictures, degradations, run, file, figures."""
