"""The changing calls of a gateway as objects, and the steps that they consist of."""
