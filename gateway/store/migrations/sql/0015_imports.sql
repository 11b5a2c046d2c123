-- Tables of every kind come in the same way: registers of clients, lists of appointments, lists of services.

ALTER TABLE imports ADD kind text NOT NULL DEFAULT 'clients' CHECK (kind IN ('clients', 'appointments', 'services'));
ALTER TABLE imports ALTER kind DROP DEFAULT;

-- What was written over: a client, an appointment or a service.
ALTER TABLE import_rows ADD row_id uuid;
ALTER TABLE import_rows ALTER row_id TYPE uuid USING client_id;
ALTER TABLE import_rows DROP CONSTRAINT import_rows_pkey;
ALTER TABLE import_rows ADD PRIMARY KEY (import_id, row_id);
ALTER TABLE import_rows ALTER client_id DROP NOT NULL;   -- a service is nobody's
