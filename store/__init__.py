"""PostgreSQL, jobs and blobs; the only package that knows psycopg and procrastinate."""
