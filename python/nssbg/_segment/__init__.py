"""Ways to find the foreground: a network, or the weights-free studio method."""
