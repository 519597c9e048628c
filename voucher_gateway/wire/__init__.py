"""Between a vendor's bytes and objects: strict JSON, strict converters and the spellings of amounts."""
