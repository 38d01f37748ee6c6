-- Where a job's end is told (JSON), and where its request stands in a trace.
ALTER TABLE jobs ADD COLUMN callback TEXT;
ALTER TABLE jobs ADD COLUMN trace TEXT;
