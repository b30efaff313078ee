/** Every code an HTTP error of the server can carry. */
export type ErrorCode =
  | "malformed_request"
  | "invalid_json"
  | "invalid_field"
  | "unknown_field"
  | "invalid_key"
  | "unknown_variant"
  | "unknown_segment"
  | "unknown_flag"
  | "unknown_space"
  | "unknown_metric"
  | "metric_unseen"
  | "unknown_operator"
  | "invalid_range"
  | "invalid_percentage"
  | "invalid_weights"
  | "invalid_pattern"
  | "invalid_value"
  | "type_mismatch"
  | "prerequisite_cycle"
  | "limit_exceeded"
  | "not_client_side"
  | "flag_not_found"
  | "segment_not_found"
  | "metric_not_found"
  | "experiment_not_found"
  | "layer_not_found"
  | "holdout_not_found"
  | "incident_not_found"
  | "project_not_found"
  | "environment_not_found"
  | "key_not_found"
  | "token_not_found"
  | "webhook_not_found"
  | "delivery_not_found"
  | "template_not_found"
  | "trigger_not_found"
  | "signing_key_not_found"
  | "second_person_needed"
  | "change_not_found"
  | "import_not_found"
  | "import_elsewhere"
  | "revision_not_found"
  | "route_not_found"
  | "method_not_allowed"
  | "release_not_found"
  | "request_not_found"
  | "approval_required"
  | "approval_by_author"
  | "request_state"
  | "release_unmonitored"
  | "release_state"
  | "release_gates_closed"
  | "release_owns_flag"
  | "release_ramps_experiment"
  | "flag_rolled_out"
  | "rollout_idle"
  | "frozen"
  | "already_exists"
  | "archived"
  | "in_use"
  | "experiment_moves"
  | "experiment_frozen"
  | "experiment_not_ready"
  | "wrong_status"
  | "against_advice"
  | "range_taken"
  | "plan_changed"
  | "salts_differ"
  | "shared_definition"
  | "revision_conflict"
  | "idempotency_mismatch"
  | "unauthenticated"
  | "forbidden"
  | "wrong_key_kind"
  | "served_upstream"
  | "cross_site"
  | "sign_in_refused"
  | "too_many_requests"
  | "too_many_streams"
  | "body_too_large"
  | "unsupported_media_type"
  | "not_acceptable"
  | "invalid_cursor"
  | "invalid_encoding"
  | "unreadable_file"
  | "request_timeout"
  | "store_unavailable"
  | "spool_full"
  | "disk_full"
  | "internal";

/** One entry of the error dictionary: HTTP status, what happened, the way out. `{name}` stands for data of the error. */
export interface ErrorEntry {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly hint: string;
}

const entry = (status: number, title: string, detail: string, hint: string): ErrorEntry => ({ status, title, detail, hint });

/** The closed dictionary of errors. `docs/errors.md` and the OpenAPI document are proven equal to it. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorEntry>> = {
  malformed_request: entry(
    400,
    "Request not readable",
    "The request could not be read: {reason}.",
    "Send it again with a client that speaks HTTP/1.1; percent signs in a path must be escapes.",
  ),
  invalid_json: entry(
    400,
    "Body is not JSON",
    "The body could not be read as JSON: {reason}.",
    "Send one JSON document with `content-type: application/json`.",
  ),
  invalid_field: entry(
    422,
    "Field not valid",
    "`{field}` is not valid: {reason}.",
    "Correct the field named in `field` and send the request again; nothing was changed.",
  ),
  unknown_field: entry(
    422,
    "Field not known",
    "`{field}` is not a field of this request.",
    "Remove it, or use the name given in `allowed`; nothing was changed.",
  ),
  invalid_key: entry(
    422,
    "Key not valid",
    "`{field}` must be 1-128 of `A-Z a-z 0-9 . _ -`, and neither `.` nor `..`.",
    "Choose another key.",
  ),
  unknown_variant: entry(
    422,
    "Variant not known",
    "`{field}` names a variant this flag does not have.",
    "Use one of the names in `allowed`, or add the variant to the flag first.",
  ),
  unknown_segment: entry(
    422,
    "Segment not known",
    "`{field}` names a segment this project does not have.",
    "Create the segment first, or correct its key.",
  ),
  unknown_flag: entry(
    422,
    "Flag not known",
    "`{field}` names a flag this project does not have, or one that is archived.",
    "Create the flag first, restore it, or correct its key.",
  ),
  unknown_space: entry(
    422,
    "Space not known",
    "`{field}` names a space this project does not have.",
    "Use one of the flag's own spaces (`share`, `split`), a layer or a holdout.",
  ),
  unknown_metric: entry(
    422,
    "Metric not known",
    "`{field}` names a metric this project does not have, or one that is archived.",
    "Define the metric first, or correct its key.",
  ),
  metric_unseen: entry(
    422,
    "No recent event fits",
    "Since {since} no metric event fits `{field}`: {reason}.",
    "Preview the metric to see what was received; send `unseen: true` to save it all the same.",
  ),
  unknown_operator: entry(422, "Operator not known", "`{field}` is not an operator.", "Use one of the operators in `allowed`."),
  invalid_range: entry(
    422,
    "Range not valid",
    "`{field}` must hold ascending, disjoint ranges [from, to) of whole parts per million between 0 and 1000000.",
    "Correct the ranges; 25 % is [0, 250000].",
  ),
  invalid_percentage: entry(
    422,
    "Percentage not valid",
    "`{field}` must be a number from 0 to 100 with at most 4 decimals.",
    'Send for example {"percentage": 12.5}; the live value was not changed.',
  ),
  invalid_weights: entry(
    422,
    "Weights do not sum to 100",
    "The weights of `{field}` sum to {sum}; they must sum to exactly 100, each with at most 4 decimals.",
    "Correct the weights; 33.33, 33.33 and 33.34 is exact.",
  ),
  invalid_pattern: entry(
    422,
    "Regular expression not valid",
    "`{field}` is not a pattern of the linear-time engine (RE2 syntax): {reason}.",
    "Look-ahead, look-behind and back-references are not available; rewrite the pattern.",
  ),
  invalid_value: entry(
    422,
    "Value not valid for the operator",
    "`{field}` does not fit the operator: {reason}.",
    "Give the operator a value of the kind named in `allowed`.",
  ),
  type_mismatch: entry(
    422,
    "Value not of the flag's type",
    "`{field}` is not a {expected}.",
    "Give every variant a value of the flag's type, or make another flag.",
  ),
  prerequisite_cycle: entry(
    409,
    "Prerequisites form a cycle",
    "`{field}` closes a cycle: {cycle}.",
    "Remove one of the prerequisites of the cycle.",
  ),
  limit_exceeded: entry(
    422,
    "Definition too large",
    "`{field}` is over a limit: {reason}.",
    "Move lists into segments or shorten the definition.",
  ),
  not_client_side: entry(
    422,
    "Not fit for browsers",
    "`{field}` may not be used by a flag that browsers see: {reason}.",
    "Keep the flag off browsers (`clientSide: false`), or change the rule.",
  ),
  flag_not_found: entry(
    404,
    "No such flag",
    "This project has no flag `{key}`.",
    "Check the key; `nearest`, where it is there, names the closest one there is.",
  ),
  segment_not_found: entry(
    404,
    "No such segment",
    "This project has no segment `{key}`.",
    "Check the key, or create the segment.",
  ),
  metric_not_found: entry(404, "No such metric", "This project has no metric `{key}`.", "List the metrics of the project."),
  experiment_not_found: entry(
    404,
    "No such experiment",
    "This project has no experiment `{key}` that this token may see.",
    "List the experiments of the project.",
  ),
  layer_not_found: entry(404, "No such layer", "This project has no layer `{key}`.", "List the layers of the project."),
  holdout_not_found: entry(404, "No such holdout", "This project has no holdout `{key}`.", "List the holdouts of the project."),
  incident_not_found: entry(
    404,
    "No such incident",
    "This project has no incident `{key}`.",
    "List the incidents of the project.",
  ),
  project_not_found: entry(
    404,
    "No such project",
    "There is no project `{key}` that this token may see.",
    "Check the key and the token's scope.",
  ),
  environment_not_found: entry(
    404,
    "No such environment",
    "This project has no environment `{key}` that this token may see.",
    "Check the key and the token's scope.",
  ),
  key_not_found: entry(404, "No such SDK key", "This project has no SDK key `{key}`.", "List the keys of the project."),
  token_not_found: entry(404, "No such token", "There is no token `{key}`.", "List the tokens."),
  signing_key_not_found: entry(
    404,
    "No such signing key",
    "This project has no signing key `{key}`.",
    "List the signing keys of the project; one is made when the first record is signed.",
  ),
  webhook_not_found: entry(404, "No such webhook", "This project has no webhook `{key}`.", "List the webhooks of the project."),
  template_not_found: entry(
    404,
    "No such template",
    "This project has no release template `{key}`.",
    "List the release templates of the project.",
  ),
  trigger_not_found: entry(404, "No such trigger", "This release has no trigger `{key}`.", "List the triggers of the release."),
  second_person_needed: entry(
    409,
    "A second person is needed",
    "{person} entered the freeze, and this project asks for somebody else to leave it.",
    "Ask another operator to leave the freeze; lowering and rolling back work meanwhile.",
  ),
  delivery_not_found: entry(
    404,
    "No such delivery",
    "This webhook has no delivery `{key}`.",
    "List its deliveries; those that arrived are forgotten after 30 days.",
  ),
  change_not_found: entry(404, "No such change", "There is no change `{key}`.", "List the changes of the project."),
  import_not_found: entry(404, "No such import", "This project has no import `{key}`.", "List the imports of the project."),
  import_elsewhere: entry(
    409,
    "The import's file is at another server",
    "The file of the import `{key}` is at the server `{server}`, which alone can read it, cancel it or show its rejected rows.",
    "Ask that server. If it is gone for good, what it stored stays; the rest of the file is another import.",
  ),
  revision_not_found: entry(
    404,
    "No such revision",
    "`{environment}` has no revision at {moment}.",
    "List its changes with `changes?environment=` to see the revisions there are, and when each was made.",
  ),
  route_not_found: entry(404, "No such route", "The server has no `{method} {path}`.", "The routes are listed at /docs."),
  method_not_allowed: entry(
    405,
    "Method not taken",
    "`{path}` does not take {method}.",
    "Send one of the methods in `allowed`; what each does is at /docs.",
  ),
  release_not_found: entry(
    404,
    "No such release",
    "This environment has no release `{key}`.",
    "List the releases of the environment.",
  ),
  request_not_found: entry(
    404,
    "No such request",
    "This environment has no change request `{key}`.",
    "List its requests; `state` filters them.",
  ),
  approval_required: entry(
    409,
    "Approval needed",
    "`{environment}` takes an edit that may raise exposure only with {needed} approvals of people other than its author.",
    "Ask for it: `POST .../environments/{environment}/requests` with the operation and its body. Lowering, switching off and archiving need no approval.",
  ),
  approval_by_author: entry(
    409,
    "Not by its author",
    "`{key}` is your own request: somebody else decides on it.",
    "Ask a colleague whose role is enough for the operation; you can edit or withdraw it.",
  ),
  request_state: entry(
    409,
    "Not in this state",
    "The request `{key}` is {state} and cannot take `{command}`.",
    "`allowed` says what it can take now. One that takes nothing has ended: read it for how, and ask anew for what is still wanted.",
  ),
  release_unmonitored: entry(
    409,
    "Nobody would notice",
    "`{key}` has no {missing}.",
    "Give it at least one guardrail that is not a dry run and one alert route; nothing was changed.",
  ),
  release_state: entry(
    409,
    "Not in this state",
    "`{key}` is {state} and cannot take `{command}`.",
    "Read the release for where it stands; `allowed` names what it can take now.",
  ),
  release_gates_closed: entry(
    409,
    "Not open yet",
    "`{key}` may not leave its stage yet.",
    "`reasons` says what is missing. An admin may send `override: true` with a reason.",
  ),
  release_owns_flag: entry(
    409,
    "A release moves this flag",
    "The release `{key}` moves this flag: its exposure can be lowered here, and raised only by the release.",
    "Advance the release, or abort it first. Lowering and switching off always work.",
  ),
  release_ramps_experiment: entry(
    409,
    "A release ramps this experiment",
    "The release `{key}` ramps this experiment: it cannot take `{command}` meanwhile.",
    "Roll the release back or abort it, which stops the experiment; or wait until it is done, and then stop or decide.",
  ),
  flag_rolled_out: entry(
    409,
    "Already rolled out",
    "`{flag}` is rolled out to {percentage} % already.",
    "Set its rollout to 0 before the release starts, so that the release can tell who it reaches.",
  ),
  rollout_idle: entry(
    409,
    "The rollout would move nobody",
    "Whom no rule of this flag serves gets `{variant}` already: whatever the percentage, nobody would begin or cease to get it.",
    "Say in `fallthrough` what the others shall get (`PUT .../flags/{flag}`), or roll out another `variant`. To take `{variant}` from everybody, switch the flag off (`PUT .../flags/{flag}/enabled`).",
  ),
  frozen: entry(
    423,
    "Frozen",
    "This project is frozen: {reason}. Nothing that may raise exposure is taken.",
    "Lowering, switching off and rolling back always work. Leave the freeze once the incident is over.",
  ),
  already_exists: entry(
    409,
    "Key already taken",
    "`{key}` exists already, or did before it was archived; keys are never reused.",
    "Choose another key, or edit what is there.",
  ),
  archived: entry(409, "Flag is archived", "`{key}` is archived and cannot be changed.", "Restore it first, or make a new flag."),
  in_use: entry(
    409,
    "Still in use",
    "`{key}` is used by {users}.",
    "Remove those uses first: edit what names it, stop the experiment, abort the release.",
  ),
  experiment_moves: entry(
    409,
    "Units would change arms",
    "Up to {share} % of all units would change arms of the running experiment {experiment}.",
    "Preview the edit: a raise from both ends below half, or the allocation that moves least, may do. To move them, send `newEpoch: true`.",
  ),
  experiment_frozen: entry(
    409,
    "Frozen since the start",
    "`{field}` of the experiment `{key}` was frozen when it started.",
    "Only owner, tags and alert route may change now; for another question stop it and start another experiment.",
  ),
  experiment_not_ready: entry(
    409,
    "Not ready to start",
    "The experiment `{key}` cannot start: {missing}.",
    "Correct each of the points in `points` and start again.",
  ),
  wrong_status: entry(
    409,
    "Not in this status",
    "`{key}` is {current}; this needs it to be {needed}.",
    "Read it to see where it stands.",
  ),
  against_advice: entry(
    409,
    "Against the advice",
    "The results of `{key}` say {advice}: {because}.",
    "Wait, or send `againstAdvice: true` with the reason; the decision is then marked.",
  ),
  range_taken: entry(
    409,
    "Range already taken",
    "`{field}` overlaps the range that the experiment `{experiment}` holds of layer `{layer}`.",
    "Choose a free range; the layer shows the claims.",
  ),
  plan_changed: entry(
    409,
    "Not what was planned",
    "What this would change is no longer what the plan showed.",
    "Ask for the plan again, look at it, and send its new hash; nothing was changed.",
  ),
  salts_differ: entry(
    409,
    "Other salts here",
    "The flag `{key}` has other salts here: taking those sent would move its units.",
    "Import under another key, or leave the flag out; an import changes no salt.",
  ),
  shared_definition: entry(
    409,
    "Shared with other environments",
    "`{key}` would change in {environments} too, which this import leaves out.",
    "Import into those environments too, or change the definition by itself first.",
  ),
  revision_conflict: entry(
    412,
    "Somebody else changed it",
    "The revision sent in If-Match is not the current one, {revision}.",
    "Read `change` for what the other person did, then send again with the new ETag.",
  ),
  idempotency_mismatch: entry(
    422,
    "Idempotency-Key used before",
    "This Idempotency-Key came with another request before.",
    "Make a new key for every new command.",
  ),
  unauthenticated: entry(401, "Not signed in", "No valid key or token was sent.", "Send `authorization: Bearer <token>`."),
  forbidden: entry(
    403,
    "Not allowed",
    "This needs the role {needed} here.",
    "Use a token with that role and scope, or ask an admin.",
  ),
  wrong_key_kind: entry(
    403,
    "Wrong kind of key",
    "This door takes {needed}.",
    "Use an SDK key for /sdk and OFREP, of kind `server` or `client` where rules are read; one of kind `relay` for /relay; an access token for /api.",
  ),
  served_upstream: entry(
    421,
    "This is a relay",
    "A relay serves SDKs only; `{path}` is served by {upstream}.",
    "Send the request there.",
  ),
  cross_site: entry(
    403,
    "Not sent by a page of this server",
    "A session is taken from pages of this server only, and for writes only with the header `{header}`.",
    "Programs send an access token. Behind a proxy that changes the host name, set BELAY_PUBLIC_URL.",
  ),
  sign_in_refused: entry(
    403,
    "Not let in",
    "You could not be signed in: {reason}.",
    "Begin again at /signin/oidc; if it stays, ask who runs this server which accounts BELAY_OIDC_ROLES and BELAY_OIDC_DOMAIN let in.",
  ),
  too_many_requests: entry(429, "Too many requests", "The limit is {limit}.", "Wait for the time in Retry-After."),
  too_many_streams: entry(
    503,
    "Too many streams",
    "This server holds {limit} streams and takes no more.",
    "Poll the snapshot meanwhile and connect again after the time in Retry-After.",
  ),
  body_too_large: entry(413, "Body too large", "The body is over {limit} bytes.", "Send it in smaller pieces."),
  unsupported_media_type: entry(
    415,
    "Content type not read here",
    "`{received}` is not read here.",
    "Send one of the types in `allowed`.",
  ),
  not_acceptable: entry(
    406,
    "Format not available",
    "`{received}` is not a format of this route.",
    "Ask for one of the formats in `allowed`.",
  ),
  invalid_cursor: entry(400, "Cursor not valid", "The cursor was not made by this route.", "Start again without a cursor."),
  invalid_encoding: entry(
    400,
    "Body could not be inflated",
    "The body is not valid {encoding}.",
    "Send it again, or uncompressed.",
  ),
  unreadable_file: entry(
    422,
    "File could not be read",
    "The file could not be read: {reason}.",
    "Correct the file and send it again; nothing of it was stored.",
  ),
  request_timeout: entry(408, "Request too slow", "The request did not arrive within {limit} ms.", "Send it again."),
  store_unavailable: entry(
    503,
    "Store not available",
    "{store} cannot take this now: {reason}.",
    "Nothing was changed. Try again after the time in Retry-After.",
  ),
  spool_full: entry(
    503,
    "Event spool is full",
    "The events on disk reached the bound of {limit} bytes.",
    "Nothing was stored. Keep the events and send them again after the time in Retry-After.",
  ),
  disk_full: entry(
    507,
    "Disk is full",
    "There was no room left to write {what}.",
    "Nothing was stored. Make room; the server goes on by itself.",
  ),
  internal: entry(
    500,
    "Fault in the server",
    "The server met a fault it does not know; request {requestId}.",
    "Try again; if it stays, report the request id.",
  ),
};
