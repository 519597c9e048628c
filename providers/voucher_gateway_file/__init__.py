"""Files of vouchers for voucher-gateway: the provider ``file``, one JSONL or CSV file an account."""

from voucher_gateway_file.provider import FileProvider
from voucher_gateway_file.settings import FileSettings

__all__ = ["FileProvider", "FileSettings"]
