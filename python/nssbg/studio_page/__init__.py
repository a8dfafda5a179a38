"""The page behind `nssbg studio`: one person's pictures, served on this machine alone.

In: HTTP requests of the page in `web/`. Out: cut-outs, previews and downloads, by way of the same
pipeline as `nssbg.remove`. Files, sessions and requests are known here; pixels are not.
"""
