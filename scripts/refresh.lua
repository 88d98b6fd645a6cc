-- wrk script: rotates real chains of refresh tokens; the token in each answer is the next request of its chain.
--   TOKENS      file with one refresh token a line, shared out among wrk's threads
--   FORM_EXTRA  further form members, such as "&client_id=daypass"
-- Counts what wrk's summary does not: answers that are no 200 or hold no new token.
local threads = {}

function setup(thread)
  thread:set("index", #threads)
  thread:set("wanted", tonumber(os.getenv("THREADS") or "2"))
  table.insert(threads, thread)
end

function init()
  queue, head, tail, wrong, example = {}, 1, 0, 0, ""
  local line_number = 0
  for token in io.lines(os.getenv("TOKENS")) do
    if line_number % wanted == index then
      tail = tail + 1
      queue[tail] = token
    end
    line_number = line_number + 1
  end
  extra = os.getenv("FORM_EXTRA") or ""
  head_of_request = { ["Content-Type"] = "application/x-www-form-urlencoded" }
end

function request()
  local token = queue[head]
  if token == nil then
    -- More requests in flight than tokens: a wrong answer, counted below.
    token = "none-left"
  else
    queue[head] = nil
    head = head + 1
  end
  return wrk.format("POST", nil, head_of_request, "grant_type=refresh_token" .. extra .. "&refresh_token=" .. token)
end

function response(status, _, body)
  local token = status == 200 and body:match('"refresh_token"%s*:%s*"([^"]+)"')
  if token then
    tail = tail + 1
    queue[tail] = token
  else
    wrong = wrong + 1
    example = status .. " " .. body:sub(1, 200)
  end
end

function done(summary, latency)
  local wrong_answers, sample = 0, ""
  for _, thread in ipairs(threads) do
    wrong_answers = wrong_answers + thread:get("wrong")
    if thread:get("example") ~= "" then sample = thread:get("example") end
  end
  local errors = summary.errors
  io.write(string.format("RESULT requests=%d rate=%.0f p50=%.3f p99=%.3f wrong=%d silent=%d\n", summary.requests,
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    wrong_answers, errors.connect + errors.read + errors.write + errors.timeout))
  if sample ~= "" then io.write("EXAMPLE " .. sample:gsub("%s+", " ") .. "\n") end
end
