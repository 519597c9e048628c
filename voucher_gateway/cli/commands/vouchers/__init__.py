"""Commands for one voucher: look at it, issue and change it, spend its value."""
