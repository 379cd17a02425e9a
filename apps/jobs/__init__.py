"""Long work: kind, state, progress, lease, retry. Postgres is the queue, the broker a doorbell."""
