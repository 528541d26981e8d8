"""Who may see what: policies over rows and fields, and small cells that stay hidden."""
