-- What each person's time went into, for occupancy: BUSY with at least one conversation, IDLE while free for one, AWAY
-- otherwise. One row per stretch; the open one has no end. Written by the row of `agents` itself, so that no path that
-- changes load or presence can forget it; mere messages change neither.
CREATE TABLE agent_spans (
    site text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    activity text NOT NULL CHECK (activity IN ('BUSY', 'IDLE', 'AWAY')),
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    CHECK (ended_at >= began_at)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX agent_spans_open ON agent_spans (site, person) WHERE ended_at IS NULL;
CREATE INDEX agent_spans_ended ON agent_spans (site, ended_at);
SELECT kefu_protect('agent_spans');

CREATE FUNCTION agents_activity(presence text, load integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN load > 0 AND presence <> 'OFFLINE' THEN 'BUSY' WHEN presence = 'AVAILABLE' THEN 'IDLE' ELSE 'AWAY' END
$$;

CREATE FUNCTION agents_spans() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE agent_spans SET ended_at = greatest(kefu_now(), began_at)
    WHERE site = NEW.site AND person = NEW.person AND ended_at IS NULL;
    INSERT INTO agent_spans (site, person, activity, began_at)
    VALUES (NEW.site, NEW.person, agents_activity(NEW.presence, NEW.load), kefu_now());
    RETURN NULL;
END $$;
CREATE TRIGGER agents_spans_begin AFTER INSERT ON agents FOR EACH ROW EXECUTE FUNCTION agents_spans();
CREATE TRIGGER agents_spans_change AFTER UPDATE OF presence, load ON agents FOR EACH ROW
    WHEN (agents_activity(OLD.presence, OLD.load) <> agents_activity(NEW.presence, NEW.load))
    EXECUTE FUNCTION agents_spans();
