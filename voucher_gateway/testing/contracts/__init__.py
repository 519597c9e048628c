"""The tests of the contract, in the groups that `voucher_gateway.testing.promises` has."""
