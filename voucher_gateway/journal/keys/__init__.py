"""The keys of the journal, and what they prove and hide: digests, seals of rows and sealed texts."""
