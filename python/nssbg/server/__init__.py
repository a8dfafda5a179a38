"""`nssbg serve`: the engine over HTTP under three APIs: nssbg's own, remove.bg's and rembg's.

Everything about pictures is done by `Remover`, `Output` and `Cutout`; here stand names, words and
headers. What the three share with the studio page (front door, uploads, queue) is `nssbg._http`.
"""
