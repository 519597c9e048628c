"""Self-contained HTML pages for people who answer for the money: tables, charts, and nothing that is fetched or run."""
