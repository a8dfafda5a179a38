"""Makes the enhancement networks of the wheel: pictures, degradations, run, file, figures."""
