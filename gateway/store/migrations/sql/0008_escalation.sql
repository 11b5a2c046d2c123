-- Who is on call, and the steps by which people hear of an urgent flag until somebody takes it.

-- On call in a unit and all below it, in this order. Besides, whoever was put on duty by hand (staff.on_duty) is on call.
CREATE TABLE on_call (
  unit_id uuid NOT NULL REFERENCES units,
  position smallint NOT NULL,                    -- 1 hears first
  staff_id uuid NOT NULL REFERENCES staff,
  hours text NOT NULL,                           -- as domain/opening.py writes them, on the unit's clock
  PRIMARY KEY (unit_id, position)
);

-- Written with the flag, so that whoever dies in between, the next step has its row and its time.
CREATE TABLE alert_steps (
  id uuid PRIMARY KEY,
  flag_id uuid NOT NULL REFERENCES flags ON DELETE CASCADE,
  round int NOT NULL,
  position smallint NOT NULL,
  way text NOT NULL CHECK (way IN ('text', 'answer', 'second', 'again')),
  staff_id uuid REFERENCES staff,                -- whom a text is for
  due_at timestamptz NOT NULL,
  taken_until timestamptz,                       -- somebody tries the second way just now
  done_at timestamptz,
  result text,
  outbound_id uuid,                              -- the text that was queued
  UNIQUE (flag_id, round, position)
);
CREATE INDEX alert_steps_due ON alert_steps (due_at) WHERE done_at IS NULL;
CREATE INDEX ON alert_steps (staff_id, done_at);

ALTER TABLE heartbeats ADD told_at timestamptz;  -- when somebody was last told that this process is silent

-- Urgent flags that nobody has taken yet go round from now on.
INSERT INTO alert_steps (id, flag_id, round, position, way, due_at)
  SELECT gen_random_uuid(), id, 0, 1, 'again', now() FROM flags WHERE severity = 'urgent' AND state = 'open';
