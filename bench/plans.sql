-- Writes the plan of each statement of new connections into PostgreSQL's log.

ALTER ROLE CURRENT_USER SET session_preload_libraries = 'auto_explain';
ALTER ROLE CURRENT_USER SET auto_explain.log_min_duration = 0;
ALTER ROLE CURRENT_USER SET auto_explain.log_analyze = on;
ALTER ROLE CURRENT_USER SET auto_explain.log_buffers = on;
ALTER ROLE CURRENT_USER SET auto_explain.log_timing = off;
