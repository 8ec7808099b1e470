-- The version of the site's own facts (surge), counted in the row that the router holds while it judges: two turns within
-- one instant must not share a version. Code of before this column keeps writing the row without it.
ALTER TABLE site_states ADD COLUMN version bigint NOT NULL DEFAULT 0;
