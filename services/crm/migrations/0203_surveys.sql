-- Surveys; each is sent by the campaign of the same id. A reminder follows an invitation and carries the same token.
CREATE TABLE surveys (
    site text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    question text NOT NULL,
    least integer NOT NULL,
    most integer NOT NULL,
    satisfied_from integer NOT NULL CHECK (least < satisfied_from AND satisfied_from <= most),
    reminder_after_d integer NOT NULL CHECK (reminder_after_d > 0),
    reminders integer NOT NULL CHECK (reminders >= 0),
    PRIMARY KEY (site, id),
    FOREIGN KEY (site, id) REFERENCES campaigns
);
SELECT kefu_protect('surveys');

-- One answer an invitation; what was written lies with care_words.
CREATE TABLE survey_answers (
    site text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL,
    survey text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    score integer NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (site, message),
    FOREIGN KEY (site, message) REFERENCES care_messages
);
CREATE INDEX survey_answers_survey ON survey_answers (site, survey, at DESC, message DESC);
SELECT kefu_protect('survey_answers');
