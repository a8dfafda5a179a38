"""Networks that give images or depth: tiles, receptive fields, enhancement, depth maps."""
