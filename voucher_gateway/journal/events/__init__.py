"""What happened to operations, payments, sales and accounts: one table for who follows it and for who audits it."""
