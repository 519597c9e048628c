"""Tests of the promises of the read level."""
