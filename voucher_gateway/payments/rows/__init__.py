"""The rows of payments and their refunds: states, tables, their records, and the codes that they hold sealed."""
