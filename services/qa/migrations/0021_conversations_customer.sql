-- Whoever is to be forgotten, or told, is looked for by their conversations too (store/recordings.OF_CUSTOMERS).
CREATE INDEX conversations_customer ON conversations (site, customer) WHERE customer <> '';
