-- The roles and the database, for an empty cluster, run once by its superuser:
--   psql -v owner_password=... -v app_password=... -f config/roles.sql
-- The owner migrates and owns every table; the application owns nothing and no row-level security lets it past.
\set ON_ERROR_STOP on
CREATE ROLE stockwright_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOBYPASSRLS CREATEDB;
CREATE ROLE stockwright_app LOGIN PASSWORD :'app_password' NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
CREATE DATABASE stockwright OWNER stockwright_owner;
REVOKE ALL ON DATABASE stockwright FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE stockwright TO stockwright_app;
\connect stockwright
ALTER SCHEMA public OWNER TO stockwright_owner;
GRANT USAGE ON SCHEMA public TO stockwright_app;
-- For tables outside row-level security (sessions, people, content types); a tenant table's own migration says its grants.
ALTER DEFAULT PRIVILEGES FOR ROLE stockwright_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO stockwright_app;
ALTER DEFAULT PRIVILEGES FOR ROLE stockwright_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO stockwright_app;
