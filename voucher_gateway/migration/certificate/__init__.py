"""The certificate of a migration: what was moved, what was not, who did it, and proof that nothing was changed."""
