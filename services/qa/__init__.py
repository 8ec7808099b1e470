"""Quality: recordings, draws and what is judged by them."""
