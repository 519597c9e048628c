"""Operations that a vendor lacks, built from operations that it has. Written once, for all providers.

`voucher_gateway.emulation.registry.EMULATIONS` is the table of them, with everything that is known of each.
"""
