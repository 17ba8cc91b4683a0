CREATE TABLE switch (
    only_row BOOLEAN PRIMARY KEY CHECK (only_row),
    enabled  BOOLEAN NOT NULL,
    rate     DOUBLE PRECISION NOT NULL CHECK (rate BETWEEN 0 AND 1),
    salt     TEXT NOT NULL
);
