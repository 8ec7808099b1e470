"""The way out of Kefu, one for all services: guarded HTTP, signatures, SMTP, leased delivery with retries."""
