"""What pages say about models."""
