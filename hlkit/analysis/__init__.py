"""One file per analysis: frames in, a tidy frame out, one plot; no HTTP, no location."""
