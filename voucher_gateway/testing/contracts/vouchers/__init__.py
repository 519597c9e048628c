"""Tests of the promises about vouchers that are issued and changed."""
