"""Where answers leave: metrics, receipts, usage, segments, over HTTP too."""
