"""Tests of the promises about the effects of calls: outcomes, references, connections and resolution."""
