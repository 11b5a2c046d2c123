-- Who makes, starts and resumes a campaign, said by the database as well as by the program.

-- Whoever keeps a draft is its maker. A lead starts it, in their own name, or lets it go on; anybody may stop it.
-- What was approved is what is sent: of a campaign that has begun nobody changes the words or whom it reaches.
CREATE FUNCTION campaigns_led() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  me uuid := nullif(current_setting('gateway.actor', true), '')::uuid;
  leads boolean := coalesce(own_role() IN ('supervisor', 'administrator'), false);
  starts boolean;
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state = 'draft' AND NEW.approved_by IS NULL AND NEW.created_by = me THEN RETURN NEW; END IF;
  ELSE
    starts := OLD.state = 'draft' AND NEW.state = 'running' AND leads AND NEW.approved_by = me;
    IF (NEW.state = OLD.state OR starts OR NEW.state = 'cancelled'
        OR (OLD.state = 'running' AND NEW.state = 'paused') OR (OLD.state = 'paused' AND NEW.state = 'running' AND leads))
      AND (NEW.created_by IS NOT DISTINCT FROM OLD.created_by OR (OLD.state = 'draft' AND NEW.created_by = me))
      AND (NEW.approved_by IS NOT DISTINCT FROM OLD.approved_by OR starts)
      AND (OLD.state = 'draft' OR (NEW.spec - 'to_do', NEW.kind, NEW.unit_id, NEW.consent_purpose) = (OLD.spec - 'to_do', OLD.kind, OLD.unit_id, OLD.consent_purpose))
    THEN RETURN NEW; END IF;
  END IF;
  RAISE EXCEPTION 'this role may not do that to a campaign' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER campaigns_led BEFORE INSERT OR UPDATE ON campaigns FOR EACH ROW
  WHEN (current_user IN ('gateway_staff', 'gateway_reviewer')) EXECUTE FUNCTION campaigns_led();

CREATE POLICY added_to_a_draft ON campaign_steps AS RESTRICTIVE FOR INSERT TO gateway_staff
  WITH CHECK (EXISTS (SELECT FROM campaigns c WHERE c.id = campaign_id AND c.state = 'draft'));
CREATE POLICY changed_in_a_draft ON campaign_steps AS RESTRICTIVE FOR UPDATE TO gateway_staff
  USING (EXISTS (SELECT FROM campaigns c WHERE c.id = campaign_id AND c.state = 'draft'));
CREATE POLICY taken_from_a_draft ON campaign_steps AS RESTRICTIVE FOR DELETE TO gateway_staff
  USING (EXISTS (SELECT FROM campaigns c WHERE c.id = campaign_id AND c.state = 'draft'));

-- A lead asks for it, in their own name.
CREATE POLICY lead ON approvals AS RESTRICTIVE FOR INSERT TO gateway_staff
  WITH CHECK (asked_by = nullif(current_setting('gateway.actor', true), '')::uuid AND (SELECT own_role()) IN ('supervisor', 'administrator'));
CREATE POLICY lead_again ON approvals AS RESTRICTIVE FOR UPDATE TO gateway_staff
  USING ((SELECT own_role()) IN ('supervisor', 'administrator'))
  WITH CHECK (asked_by = nullif(current_setting('gateway.actor', true), '')::uuid);
