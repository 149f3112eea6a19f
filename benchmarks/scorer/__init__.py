"""The scorer ``tree`` against stock lm-eval ``hf``: same requests, same process, CPU-seconds of one thread."""
