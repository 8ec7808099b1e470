-- Sessions in which several reviewers mark the same recordings, each without seeing the others.
CREATE TABLE calibrations (
    site text COLLATE "C" NOT NULL,
    calibration_id uuid NOT NULL,
    series text COLLATE "C" NOT NULL,
    state text NOT NULL CHECK (state IN ('OPEN', 'CLOSED')),
    recordings uuid[] NOT NULL,
    reviewers text[] NOT NULL,
    author text NOT NULL,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    alpha double precision,
    low double precision,
    high double precision,
    severities jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (site, calibration_id)
);
CREATE INDEX calibrations_closed ON calibrations (site, series, closed_at) WHERE state = 'CLOSED';
SELECT kefu_protect('calibrations');
CREATE TABLE calibration_marks (
    site text COLLATE "C" NOT NULL,
    calibration_id uuid NOT NULL,
    recording_id uuid NOT NULL,
    reviewer text COLLATE "C" NOT NULL,
    mark smallint NOT NULL,
    PRIMARY KEY (site, calibration_id, recording_id, reviewer),
    FOREIGN KEY (site, calibration_id) REFERENCES calibrations (site, calibration_id)
);
SELECT kefu_protect('calibration_marks');

ALTER TABLE bonus_pools ADD COLUMN retained_fen bigint NOT NULL DEFAULT 0;
ALTER TABLE bonus_lines ADD COLUMN cut_fen bigint NOT NULL DEFAULT 0;
ALTER TABLE bonus_lines ADD COLUMN base_fen bigint NOT NULL DEFAULT 0;
ALTER TABLE bonus_lines ADD COLUMN performance_fen bigint NOT NULL DEFAULT 0;
