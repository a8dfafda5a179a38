"""Drop-in surfaces of other packages onto nssbg: only translation, no image logic.

`from nssbg.compat import rembg` in place of `import rembg`.
"""
