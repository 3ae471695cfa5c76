-- The identifier that the operator has given to a line beside its number: local@domain.
ALTER TABLE line ADD COLUMN network_access_identifier TEXT;
