"""The parts that tests of the contract share: vendors, vouchers, cases, faults, child processes and crashes."""
