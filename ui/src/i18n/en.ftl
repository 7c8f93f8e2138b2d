# The frame
skip = To the content
pages = Pages
workspace-switch = Switch workspace
menu = Menu
integrations = Integrations
today = Today
activity = Activity
webhooks = Webhooks
connect = Connect your software
begin-title = What is your business called?
begin-lead = Signalbox keeps what happens in one business in one workspace. You can change the name later.
begin-name = Name
begin-do = Begin
problem-unreachable = Signalbox does not answer. Nothing is lost; once it runs again, this page carries on.
problem-session = Signalbox was started anew since this page was opened. Open the address that it shows now.
problem-unreadable = Signalbox answered in a way this page does not understand. Restart Signalbox so that both are of one version.

# Said in many places
look-again = Look again
close = Close
cancel = Cancel
keep = Keep it
copy = Copy
copied = Copied
never = Never
name = Name
address = Address
actions = Actions
receiver = Receiver
state = State
seven-days = Last seven days
secret = Secret
token = Token
all-events = All events
of = { $some } of { $all }
chart = { $name }, last seven days
chart-day = Day
chart-succeeded = Got through
chart-failed = Failed
done = Done
open = Open
open-activity = Open in Activity
testing = Testing…
time = Time
channel = Channel
who-what = Who and what
details = Details

# Today
receivers = Receivers
last-success = Last success
received-at = Received { $at }
today-small = today
open-log-of = Activity of { $name }
form-none = Not given
form-lines = One per line.
free-name = { $label }, name { $number }
free-value = { $label }, value { $number }
free-name-short = Name
free-value-short = Value
free-remove = Remove line { $number }
free-add = Add a line
receivers-empty = Nobody is told yet
receivers-empty-more = A webhook tells other software, such as your cash desk or your shop, as soon as something happens. Add the first one and send it a test.
webhooks-go = Go to Webhooks
just-now = Just now
all-activity = All activity
story-nobody = Told nobody
just-now-empty = Nothing has happened yet
just-now-empty-more = Record an event by hand, or let your software do it: it takes one call.
record-open = Record an event
record-title = Record an event
record-lead = As if your software had reported it. Whoever listens for it is told at once.
record-what = What happened
record-data = Data, as JSON
record-sample = Fill in a sample
record-do = Record
record-not-json = The data is not JSON yet. It must be an object, such as {"{"}"id": "7"{"}"}.
recorded = { $label } recorded. { $deliveries ->
    [0] No receiver listens for it.
    [one] One receiver is being told.
   *[other] { $deliveries } receivers are being told.
  }
recorded-before = It was recorded before. Nothing new was queued.
recorded-odd = It was taken as it is, but looks unusual:

# Activity
deliveries = Deliveries
delivery = Delivery
filter-state = State
filter-all = All
filter-success = Received
filter-waiting = Waiting
filter-held = Held
filter-failed = Failed
filter-closed = Left out
filter-type = Event
filter-type-all = Every event
filter-receiver = Receiver
filter-receiver-all = Every receiver
filter-event = Only one event
filter-event-off = Show every event again
filter-clear = Clear filter
activity-count = { $count ->
    [one] 1 delivery
   *[other] { $said } deliveries
  }
activity-count-more = More than { $said } deliveries
fresh = { $count } new
activity-none = Nothing matches
activity-none-more = No delivery is like this at the moment.
activity-empty = No deliveries yet
activity-empty-more = Each event that a webhook listens for appears here, with every attempt, what was sent and what came back.
newer = Newer
older = Older
queued = Queued { $at }
is-test = Send a test
test-failed = The test of { $name } did not get through.
passed = Passed
see-activity = See its activity
more-for = More for { $name }
is-again = Sent again
send-again = Send again
release = Let it go out
told-myself = I told them myself
sending = Sending
sent-again = It is being sent again.
released-now = It goes out now.
closed-now = Closed. It is not sent any more.
request = Request
answer = Answer
body = the body
webhook = Webhook
no-answer-yet = The answer is on its way.
attempts = Attempts
attempts-none = It has not been tried yet.
attempt = Attempt { $number }
request-answer = Request and answer
no-answer = No answer came.
truncated = The answer was longer; only its beginning was kept.

# Webhooks
webhooks-lead = Other software that is told when something happens.
webhook-add = Add webhook
webhook-add-title = Add a webhook
webhook-lead = Signalbox calls this address with every event it should know of, and signs each call.
webhook-name-hint = What you call it, such as “Cash desk”.
webhook-url-hint = Where the other software listens. It says so in its own settings.
webhook-events = What it is told about
private-network = It is on my own network
private-network-hint = Or on this computer. Then it may be called without https; leave this off for addresses on the internet.
webhooks-empty = No webhook yet
webhooks-empty-more = Add the address of a program that should know at once, send it a test, and see here whether its calls get through.
got-through = Got through
last-call = Last call
nothing-yet = Nothing yet
test = Send a test
test-failed = The test of { $name } did not get through.
passed = Passed
see-activity = See its activity
more-for = More for { $name }
pause = Pause
resume = Resume
delete = Delete
paused-now = { $name } is paused. What happens now is held for it.
resumed-now = { $name } is told again. { $held ->
    [0] Nothing was held.
    [one] The one that was held goes out now.
   *[other] The { $held } that were held go out now.
  }
webhook-gone = { $name } was deleted. Its log stays in Activity.
delete-title = Delete “{ $name }”?
delete-lead = It is not told about anything any more. { $waiting ->
    [0] Nothing waits for it.
    [one] One delivery that waits for it is cancelled.
   *[other] { $waiting } deliveries that wait for it are cancelled.
  } What was sent stays in Activity.
delete-do = Delete webhook
secret-title = The secret of “{ $name }”
secret-lead = Copy it into the receiving software now. It is shown only this once; Signalbox keeps it in this computer’s key store.
secret-how = How the receiver checks it
secret-how-more = Each call carries an HMAC-SHA256 over the time stamp, a full stop and the body, made with this secret. It stands in
secret-kept = I have stored it
secret-old = Time to change it
days = { $days ->
    [0] Today
    [one] 1 day
   *[other] { $days } days
  }

# Connect your software
connect-lead = Whatever takes your bookings tells Signalbox. It answers at once, with or without internet.
address-more = Only programs on this computer can reach it.
tokens = A token for each program
tokens-empty = No program may send events yet. A token lets one in.
token-new = New token
token-make = Make token
token-new-lead = It lets one program in. Make one for each, so that you can take it away from one alone.
token-name-hint = The program that uses it, such as “Booking page”.
token-title = The token of “{ $name }”
token-lead = Copy it into the program now. It is shown only this once; the lines of step 3 hold it until you leave this page.
may = May
may-events = Send events
may-full = Everything
may-events-hint = It can record events and read which kinds there are, nothing else.
may-full-hint = It can also read the log and change webhooks of this workspace.
last-used = Last used
ends-in = Ends in { $last }
revoke = Revoke
revoke-title = Revoke the token of “{ $name }”?
revoke-lead = The program that uses it is turned away from now on. What it sent stays.
revoke-do = Revoke token
revoked-now = { $name } is turned away from now on.
copy-this = Copy this into your software
language = Language
your-token = YOUR_TOKEN
your-token-more = Put your token in place of { $token }.
your-token-in = Your new token is already in it.
arrived = What arrived
first-title = First event arrived
first-more = { $source } sent “{ $label }” at { $at }. { $results ->
    [0] {""}
    [one] It became one result.
   *[other] It became { $results } results.
  }
first-nobody = No receiver listens for it.
first-wait = Nothing has arrived yet
first-wait-more = This page listens. As soon as the first event comes in with a token, the arm rises and you see what became of it.
