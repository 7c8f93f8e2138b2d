# The frame
skip = To the content
pages = Pages
workspace-switch = Switch workspace
practice = Practice
practice-note = Practice. Nothing you do here leaves this computer.
practice-small = Nothing goes out
practice-leave = Go to { $name }
practice-choice = { $name }, nothing leaves this computer
menu = Menu
integrations = Integrations
today = Today
activity = Activity
automations = Automations
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
    [0] Nobody listens for it.
    [one] One delivery is on its way.
   *[other] { $deliveries } deliveries are on their way.
  }
recorded-before = It was recorded before. Nothing new was queued.
recorded-odd = It was taken as it is, but looks unusual:

# Activity
deliveries = Deliveries
delivery = Delivery
filter-success = Received
filter-waiting = Waiting
filter-held = Held
filter-failed = Failed
filter-closed = Left out
filter-clear = Clear filter
search = Search or filter
search-hint = Name, number, booking, or status:failed
search-more = and more
search-offers = What can be asked for
chip-webhook = a webhook that is gone
chip-automation-gone = an automation that is gone
chip-automation = What one automation did
chip-edit = Edit
chip-off = Remove { $said }
chip-wrong = “{ $said }” means nothing here. Pick one of what is offered, or put it in quotes to look for the words.
chip-status = How it stands
chip-reason = Why it stands so
chip-channel = Webhook, email, text …
chip-type = What happened
chip-subject = One booking, person or article
chip-to = Host, address or number
chip-event = One event, by its id
chip-since = From a day or time on
chip-until = Up to a day or time
chip-is = A test or the real thing
chip-status-failed = Given up, needs you
chip-status-unknown = The answer got lost
chip-status-held = Waits for a cause to go away
chip-status-waiting = Due now or later
chip-status-received = It got through
chip-status-skipped = Left out on purpose
chip-status-cancelled = Closed by you
chip-is-test = Only tests
chip-is-real = No tests
histogram-as-table = Table
histogram-chart = Chart
histogram-table = Deliveries over time
dates = Dates…
dates-title = Dates
dates-lead = Times are those of your business.
dates-go = Go to a date
dates-at = Date and time
dates-go-hint = The list begins there and goes on in both directions.
dates-go-do = Go there
dates-range = Show only a range
dates-from = From
dates-to = Until
dates-range-do = Show range
dates-wrong = The end must be after the beginning.
from-date = From { $at }
to-newest = To the newest
count-failed = { $said } failed
count-held = { $said } held
export = Export
export-csv = As a table (CSV)
export-ndjson = As JSON lines (NDJSON)
export-refused = The export could not be made. Look again in a moment.
pick-one = Choose { $who }, { $what }
pick-loaded = Choose all that are loaded
pick-all = All { $said } that match
pick-all-more = All that match, more than { $said }
pick-none = Choose none
picked = What is chosen
picked-count = { $said } chosen
again-open = Send again…
again-title-wait = Send again?
again-title = { $count ->
    [0] Nothing to send again
    [one] Send 1 again?
   *[other] Send { $said } again?
  }
again-title-some = Send { $some } of { $all } again?
again-lead = Each receiver gets the same content once more, with the same id, so that it can tell.
again-goes = Goes out
again-left = Left out
again-out = { $count ->
    [0] Nothing goes out.
    [one] 1 goes out.
   *[other] { $said } go out.
  }
again-minutes = { $count ->
    [one] It takes about a minute.
   *[other] It takes about { $said } minutes.
  }
again-left-out = { $said } left out
again-pace = How fast
again-pace-hint = A receiver that has just come back is glad of a slow start.
again-pace-free = As fast as the receiver takes them
again-pace-some = At most { $said } a minute
again-do = Send { $said }
again-none = Send
replay-progress = Sent again
replay-stop = Stop
letting-open = Let out…
bulk-title-release = { $count ->
    [one] Let it go out?
   *[other] Let { $said } go out?
}
bulk-title-all-release = Let all that are held go out?
bulk-lead-release = They are sent now, as they were written. What cannot be sent yet stays held.
bulk-rest-release = { $count ->
    [one] 1 is not held and stays as it is.
   *[other] { $said } are not held and stay as they are.
}
bulk-now-release = { $said } on their way
bulk-do-release = Let them out
bulk-done-release = { $count ->
    [one] 1 is on its way.
   *[other] { $said } are on their way.
}
closing-open = Close…
bulk-title-cancel = { $count ->
    [0] Nothing to close
    [one] Close 1 delivery?
   *[other] Close { $said } deliveries?
  }
bulk-title-all-cancel = Close all that match?
bulk-lead-cancel = They are not sent any more and leave what needs you. What was already sent stays as it is.
bulk-rest-cancel = { $count ->
    [one] 1 of those chosen has ended already and stays as it is.
   *[other] { $said } of those chosen have ended already and stay as they are.
  }
bulk-now-cancel = { $said } closed
closing-stop = Stop
bulk-do-cancel = Close them
bulk-done-cancel = { $count ->
    [0] Nothing was left to close.
    [one] 1 delivery was closed.
   *[other] { $said } deliveries were closed.
  }
keep-them = Keep them
body-title = What was sent
story = Same booking, person or article
story-all = See the story
story-see = See the story
story-list = See the list
story-more = What came before
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
is-test = Test
passed = Passed
see-activity = See its activity
more-for = More for { $name }
is-again = Sent again
send-again = Send again
release = Let it go out
keep-appointment = Save as .ics
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

# Needs you
needs-you = Needs you
needs-you-count = { $count ->
    [one] 1 thing needs you
   *[other] { $count } things need you
  }
needs-you-empty = Nothing needs you
needs-you-empty-more = Problems show up here with one button each, and leave by themselves once they are solved.
solved = Solved lately
solved-one = Solved
since = Since { $at }
problem-waiting = { $count ->
    [one] 1 waits
   *[other] { $said } wait
  }
problem-failed = { $count ->
    [one] 1 given up
   *[other] { $said } given up
  }
who-waits = Who waits
show-all = Show all { $said }

# Webhooks
webhooks-lead = Other software that is told when something happens.
webhook-add = Add webhook
webhook-add-title = Add a webhook
webhook-lead = Signalbox calls this address with every event it should know of, and signs each call.
webhook-name-hint = What you call it, such as “Cash desk”.
webhook-events = What it is told about
private-network = It is on my own network
private-network-hint = Or on this computer. Then it may be called without https; leave this off for addresses on the internet.
webhooks-empty = No webhook yet
webhooks-empty-more = Add the address of a program that should know at once, send it a test, and see here whether its calls get through.
got-through = Got through
last-call = Last call
nothing-yet = Nothing yet
test = Send a test
test-open = Send a test…
test-another = Send another
test-title = Send a test to “{ $name }”
test-lead = One call, signed like every other. It is marked in the log and not counted.
test-with = What it is sent
test-plain = A plain test
test-with-plain = A short message that says it is a test.
test-with-sample = The sample of this event, as a real one would come.
see-call = See request and answer
back-to-webhooks = Back to Webhooks
told-about = Told about
filtered = with conditions
webhook-parts = Parts of this webhook
webhook-calls = Calls
webhook-settings = Settings
webhook-secret = Secret and code
last-calls = Last calls
what = What
calls-none = Nothing was sent yet. Send a test, or wait for the next event.
pause = Pause
resume = Resume
delete = Delete
none-title = Send none of them?
none-lead = { $waiting ->
    [one] 1 message is not sent and stays in Activity as closed by you.
   *[other] { $said } messages are not sent and stay in Activity as closed by you.
}
remove-title = Remove this webhook?
remove-lead = It is not told about anything any more. { $waiting ->
    [0] Nothing waits for it.
    [one] The one call that waits for it is cancelled.
   *[other] The { $waiting } calls that wait for it are cancelled.
  } { $failed ->
    [0] {""}
    [one] The one that was given up can no longer be sent.
   *[other] The { $failed } that were given up can no longer be sent.
  } Its log stays in Activity.
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
secret-how-more = Each call is signed with this secret, so that the receiver can tell it from anybody else’s. The programs below take only what is signed.
secret-how-where = They are shown on the page of this webhook, in six languages.
secret-kept = I have stored it
secret-old = Time to change it
rotate-open = Change the secret…
rotate-title = Change the secret of “{ $name }”?
rotate-lead = A new secret is made and shown once. For a while both are valid, so that nothing is missed while the receiver learns the new one.
rotate-hours = Both are valid for so many hours
rotate-hours-hint = 0 to 168. You can finish earlier.
rotate-hours-none = 0: the former secret ends at once. Calls that are signed with the new one may be turned away until the receiver knows it.
rotate-do = Make a new secret
rotated-lead = Copy the new secret into the receiving software now. It is shown only this once.
rotated-until = The former one stays valid until { $at }. Once the receiver knows the new one, press “Finish now”.
rotated-now = The former one is no longer valid.
both-valid = Two secrets are valid until { $at }. Once the receiver knows the new one, finish: a test with the new one alone shows whether it does.
finish-now = Finish now
install = What it needs

# Webhooks: settings
set-where = Where it is
set-filter = Only some of them
set-filter-hint = By what is in the event. Without a condition, all are sent.
set-how = How it is called
set-format = What is sent
format-payload = The event’s data alone
format-payload-hint = The data exactly as it came in.
format-envelope = With type and time around it
format-envelope-hint = An object of type, timestamp and data. It counts from the next event on.
format-slack = A message in Slack
format-slack-hint = A message as people read it, in one channel of Slack.
format-discord = A message in Discord
format-discord-hint = A message as people read it, in one channel of Discord. It mentions nobody.
format-teams = A card in Microsoft Teams
format-teams-hint = A card as people read it, in one channel or chat of Teams.
format-google_chat = A card in Google Chat
format-google_chat-hint = A card as people read it, in one space of Google Chat.
format-payload-where = Where the other software listens. It says so in its own settings.
format-envelope-where = Where the other software listens. It says so in its own settings.
format-slack-where = In Slack, create an app under api.slack.com/apps, switch on “Incoming Webhooks”, add one to the channel, and copy its Webhook URL here.
format-discord-where = In Discord, open the channel’s settings, then Integrations, then Webhooks; make one and press “Copy Webhook URL”.
format-teams-where = In Teams, open Workflows from the channel’s menu, choose the one that posts when a webhook request is received, and copy its address at the end.
format-google_chat-where = In Google Chat, open the space’s menu, then Apps & integrations, then Webhooks; add one and copy its address.
format-preview = How it looks for
format-exact = What exactly is sent
chat-lead = Signalbox writes a message there for every event that it should know of. Whoever has the address can write there too, so it is kept in this computer’s key store.
chat-added = “{ $name }” is added
chat-added-lead = Send a test to see the first message arrive. The address is in this computer’s key store and only its end is shown from now on.
set-timeout = Time limit, in seconds
set-timeout-hint = 5 to 60. After that a call has not got through.
set-rate = Calls a second at most
set-rate-hint = 1 to 1,000. Empty: no limit.
set-headers = Own headers
set-headers-hint = For receivers that ask for a key of their own. Values are kept in the key store and not shown again.
headers-dropped = The address leads elsewhere. So that nobody else gets them, the values of { $names } are dropped when you save; enter them again if this receiver should have them.
header-new = New header
header-name = Name of the header
header-value = Value
header-kept = Value is kept
header-dropped = Will be dropped
header-gone = Will be removed
header-replace = Replace
header-remove = Remove { $name }
header-add = Add a header
set-again = If it does not answer
schedule-standard = Over three days
schedule-exponential = With doubling gaps
set-attempts = Tries after the first
set-attempts-hint = 0 to 20.
set-delay = First gap, in milliseconds
set-delay-hint = 100 to 3,600,000. It doubles each time.
gap-s = { $count } s
gap-min = { $count } min
gap-h = { $count } h
gaps = Tried at once, then after { $gaps }. After the last try it is given up and needs you.
gaps-none = Tried once. If that does not get through, it is given up and needs you.
number-whole = Give a whole number.
fields-wrong = Not saved: some fields are not right yet.
unsaved = Not saved yet
undo = Undo changes
save = Save changes
webhook-saved = { $name } was saved.

# Webhooks: filter
filter-match = How many must be true
filter-match-all = All are true
filter-match-any = At least one is true
filter-line = Condition { $number }
filter-path = What to look at
filter-op = How to compare
filter-value = With what
filter-list = One, two, three
filter-drop = Remove condition { $number }
filter-add = Add a condition
filter-try = Try it on past events
filter-samples = Past events
filter-fits = Sent
filter-fits-not = Left out
filter-text = Conditions, as JSON
filter-text-hint = These conditions nest, so they are edited as text. Empty: all events.
filter-no-json = This is not JSON yet. It must be an object.
op-eq = is
op-ne = is not
op-gt = is more than
op-gte = is at least
op-lt = is less than
op-lte = is at most
op-contains = contains
op-in = is one of
op-exists = is there
op-missing = is not there
kind-number = as a number
kind-text = as text
kind-yes-no = as yes or no
kind-nothing = as nothing

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

# Integrations
integrations-lead = Keys are kept in this computer’s key store.
check-all = Check all
checked-all = { $well ->
    [0] None of { $all } works. Each card says why.
   *[other] { $well ->
        [one] 1 of { $all } works.
       *[other] { $well } of { $all } work.
      }
  }
kind-email = Email
kind-sms = Texts
kind-calendar = Google Calendar
kind-storage = Files
called-email = SendGrid
called-sms = Twilio
called-calendar = Google Calendar
called-storage = your storage
storage-is = Your storage
kind-of-email = SendGrid
kind-of-sms = Twilio
kind-of-calendar = With your Google account
kind-of-storage = Any storage that speaks S3
kind-of-webhooks = Calls to other software
about-email = Confirmations and reminders go out as emails from your own address.
about-sms = Reminders reach your customers on their phones, from your own number.
about-calendar = A booking becomes an entry in your calendar, and moves when the booking moves.
about-storage = Keeps vouchers, forms and day lists in a storage of your own.
about-webhooks = Other software, such as your cash desk or your shop, hears at once when something happens.
needs-email = You need a SendGrid account and a key from it. It takes about 5 minutes.
needs-sms = You need a Twilio account with a number. It takes about 10 minutes.
needs-calendar = You need nothing but your Google account. It takes a minute.
needs-storage = You need an access key and a bucket. It takes about 5 minutes.
needs-webhooks = You need the address where the other software listens.
from-whom = { $provider }, from { $from }
bucket = Bucket “{ $name }”
last-at = Last success { $at }.
checked-at = Checked { $at }.
check-failed-at = The check at { $at } failed.
through-rate = { $rate } got through.
receivers-count = { $count ->
    [one] 1 receiver
   *[other] { $count } receivers
  }
receivers-told = { $count ->
    [0] All are paused.
   *[other] Their calls get through.
  }
see-receivers = See receivers
not-set-up = Not set up
set-up = Set up
connect-calendar = Connect
files-open = Open files
write = Write
settings-open = Settings…
replace-key = Replace key…
disconnect-open = Disconnect…
choose-calendar = Choose calendar
sign-in-again = Sign in again…
released-many = { $count ->
    [one] The one that waited goes out now.
   *[other] The { $count } that waited go out now.
  }
optional = { $label } (optional)
check-title = Test { $name }
test-it = Test…
test-now = Test now

# Setting one up
set-up-title = Set up { $name }
set-up-lead-email = SendGrid carries your emails. The key is tested first, kept in this computer’s key store only, and never shown again.
set-up-lead-sms = Twilio carries your texts. The token is tested first, kept in this computer’s key store only, and never shown again.
set-up-lead-calendar = The access is tested before anything is saved.
set-up-lead-storage = Your files go into a bucket of yours. The keys are tested first with a tiny file, kept in this computer’s key store only, and never shown again.
set-up-do = Test and save
set-up-test-to = Then a test goes there before it is saved.
settings-title = Settings of { $name }
settings-lead = Change what you like; keys stay where they are and need not be typed again.
key-title = Replace the key of { $name }
key-lead = The new one is tested first. Only if it works does it take the place of the old one, which is then forgotten.
replace = Replace
replace-do = Test and replace
secret-in-store = In the key store
refused-new = Nothing was saved. What you typed is still here.
refused-kept = Nothing was changed. The old key stays in use, and what you typed is still here.
connected-title = { $name } is connected
saved-title = { $name } is saved, but not tested yet
unproven = Not tested
test-send-me-open = Send a test to me…
which-storage = Where is your storage?
which-storage-hint = It fills in what is known of it.
which-storage-none = Another one, or choose
test-lead-email = Check the key without anybody noticing, or send one email to yourself.
test-lead-sms = Check the account without anybody noticing, or send one text to yourself. It costs what a text costs.
test-lead-calendar = It looks whether your calendar can be reached. Nothing is written.
test-lead-storage = A tiny file is stored and deleted again.
test-to-email = Your email address
test-to-sms = Your phone number
test-to-hint = It is marked as a test in Activity and counts nowhere.
test-look = Only check
test-send-me = Send a test to me
pause-title = Pause { $name }?
pause-lead = Everything else goes on. What is to become of what comes in meanwhile?
pause-what = What comes in meanwhile
pause-hold = Hold it
pause-hold-more = It waits and goes out when you resume, oldest first. Right for an hour or a day.
pause-skip = Skip it
pause-skip-more = It is not sent, also not later; Activity says so. Right when it would come too late anyway.
pause-do = Pause { $name }
disconnect-title = Disconnect { $name }?
disconnect-lead = You can set it up again at any time.
disconnect-goes = Forgotten:
disconnect-goes-key = its settings, and its key in this computer’s key store.
disconnect-goes-access = its settings and its access; Google is told that the access has ended.
disconnect-stays = Kept:
disconnect-stays-more = all that was sent, in Activity.
disconnect-waits = { $count ->
    [one] Held: the one that waits.
   *[other] Held: the { $count } that wait.
  }
disconnect-waits-more = { $count ->
    [one] It goes out once this is set up again, unless you close it.
   *[other] They go out once this is set up again, unless you close them.
  }
disconnect-do = Disconnect

# Signing in with Google
sign-in-title = Connect Google Calendar
sign-in-again-title = Sign in with Google again
sign-in-lead = Your browser opens, you say yes, and come back here.
sign-in-may-entries = Signalbox may write and change entries in your calendars.
sign-in-may-list = It may see which calendars you have, to let you choose one.
sign-in-may-not = It sees neither your mail nor your contacts, and you can end it at any time.
sign-in-do = Connect with Google
sign-in-anew = Begin again
sign-in-browser = Go on in your browser. This changes by itself once you are done.
sign-in-page = Open the page
sign-in-connected = Google Calendar is connected.
sign-in-denied = Google says that you did not allow it. Nothing was changed.
sign-in-failed = It did not work. Begin again.
sign-in-expired = It took too long. Begin again.
sign-in-waiting = Waiting for Google.
waiting-for-google = Waiting for Google
client-own = With a Google client of my own
client-1 = In Google’s console, make a project, switch on the Google Calendar API, and set up the consent screen with yourself as a user.
client-2 = Under Credentials, create an OAuth client of the type “Desktop app”.
client-3 = Download its JSON file, and choose it here.
client-open = Open Google’s console
client-file = The client’s JSON file
client-is = { $name } is used when you connect.
client-wrong = This is not the file of a desktop client. In Google’s console choose “Desktop app” and download its JSON file.
calendar-title = Which calendar?
calendar-lead = New entries go there. Entries that are already written stay where they are.
calendar-more = { $count ->
    [0] Details
    [one] Details and the next entry
   *[other] Details and the next { $count } entries
  }
calendar-into = Entries go to
calendar-may = Permitted
calendar-since = Connected since
calendar-by = Client
calendar-by-us = Signalbox’s own
calendar-main = your main one

# Writing by hand
compose = Write
compose-email = Write an email
compose-sms = Write a text
back-to-integrations = Back to Integrations
not-set-up-title = { $name } is not set up yet
mail-to = To
mail-to-hint = Several are parted by commas.
mail-cc = Cc
mail-cc-hint = They get a copy, and all see it.
mail-bcc = Bcc
mail-bcc-hint = They get a copy that nobody sees.
mail-reply = Answers to
mail-replyTo-hint = Leave it empty for your sender’s address.
mail-more = Cc, Bcc, answers to
mail-subject = Subject
mail-words = Message
mail-as-text = Plain text
mail-as-html = HTML
mail-html-hint = The plain text is made of it, with its links.
mail-files = Files
mail-send = Send email
attach = Attach files
attach-stored = Attach stored files
attach-stored-lead = They are read from your storage when the email is sent. Twenty megabytes fit into one email.
attach-stored-none = No files are stored yet.
attach-stored-do = Attach
attach-off = Take off { $name }
attach-too-much = Files of one email may be 700 KB together here. Put larger ones into Files and send a link.
as-seen = As the customer sees it
as-seen-empty = What you write appears here.
pictures-not-shown = Pictures from the internet are not loaded here; the customer sees them.
accepted = Accepted
accepted-by = { $name } accepted it.
write-another = Write another
text-to = To
text-to-hint = A phone number, best with its country: +49 171 3920012.
text-to-is = It goes to { $number }.
text-message = Message
text-send = Send text

# Files
files = Files
files-add = Add files
files-going = On their way
files-sent = { $name }: how much is stored
files-away = Put { $name } away
files-empty = No files here yet
files-empty-more = Drop files anywhere on this page, or add them with the button above.
files-empty-desktop = Files that your automations store appear here.
files-more = Show more
folder = Folder
folders-all = All folders
folder-into = New files go into
file = File
size = Size
stored = Stored
stored-at = Stored at
stopped = Stopped
link-copy = Link…
link-title = A link to { $name }
link-lead = Whoever has it can read this file, without an account, until it ends.
link-ends = It ends
link-3600 = After an hour
link-86400 = After a day
link-604800 = After a week
link-until = Until { $at }.
file-delete = Delete
file-delete-title = Delete { $name }?
file-delete-lead = It is deleted from your storage, and links to it stop working. This cannot be undone.
file-delete-do = Delete file
bytes = { $count ->
    [one] 1 byte
   *[other] { $count } bytes
  }

# Automations: the grid
automations-lead = { $on } on, { $off } off. When this happens, do that.
automations-grid = Events and what happens on each channel
automations-when = When
automation-gone = This automation is not there any more. Choose another one above.
cell-add = Add to { $event }: { $way }
cell-also = { $name }. Also at: { $others }
cell-unsaved = not saved
way-email = Email
way-sms = Text
way-calendar = Calendar
way-storage = File
way-webhook = Webhooks
cell-sent = { $count ->
    [one] 1 went out in the last seven days
   *[other] { $said } went out in the last seven days
}
cell-receivers = { $count ->
    [one] 1 receiver
   *[other] { $count } receivers
}
add-blank = Begin with nothing
add-like = Begin with “{ $name }”
copy-of = { $name }, copy

# Automations: the editor
automation-editor = Editor
automation-on = { $name } is on
does-email = sends an email
does-sms = sends a text
does-calendar = writes into the calendar
does-storage = stores a file
version-saved = Saved { $at }
automation-activity = See what it did
automation-delete = Delete
automation-delete-title = Delete “{ $name }”?
automation-delete-lead = { $waiting ->
    [0] Nothing waits for it. What it did stays in Activity.
    [one] 1 delivery waits and is not sent then. What it did stays in Activity.
   *[other] { $waiting } deliveries wait and are not sent then. What it did stays in Activity.
}
automation-delete-do = Delete it
automation-event = When this happens
automation-event-none = nothing is chosen
automation-only = Only if
automation-only-all = always
automation-only-some = { $count ->
    [one] 1 condition
   *[other] { $count } conditions
}
automation-limit = Brake
automation-limit-usual = as for all
automation-limit-own = { $count } in ten minutes
automation-limit-field = At most, in ten minutes
automation-limit-hint = More than that are held, and you are asked. Empty: the limit of this workspace.
automation-make-on = Save and switch on
automation-make-off = Save, leave it off
automation-made-on = “{ $name }” is saved and on.
automation-made-off = “{ $name }” is saved. It is off until you move its lever.
draft-behind = It was changed elsewhere since you began typing. Saving puts yours in its place.
unsaved-kept = “{ $name }” is not saved yet. What you typed is kept; open it to go on.
value-insert = Value
value-into = Put a value into { $field }
mistake-at = Line { $line }, letter { $column }
when = When
when-once = At once
when-once-hint = Each event by itself, the moment it happens.
when-gathered = At once, changes gathered
when-gathered-hint = What is new goes at once. A change or a cancellation waits for the next one, so that only the latest is sent.
when-after = Some time later
when-after-hint = Counted from the event. If it is cancelled meanwhile, nothing is sent.
when-near = Before or after a time in it
when-near-hint = It moves when the time moves. If it is cancelled meanwhile, nothing is sent.
when-seconds = Seconds to wait
when-amount = How long
when-unit = Unit
when-side = Which side
when-field = Of which time
unit-minutes = minutes
unit-hours = hours
unit-days = days
side-before = before
side-after = after
action-to-hint = Where the event names nobody, nothing is sent.
action-html = Text, as HTML
action-html-hint = Values are filled in for each customer.
action-more = More
action-text = Plain text
action-text-hint = Leave it empty: it is made of the HTML.
action-reply-hint = Leave it empty for your sender’s address.
action-operation = What it does
operation-sync = Keep one entry up to date
operation-sync-hint = Writes it, moves it with the booking, removes it when the booking is cancelled.
operation-create = Write an entry
operation-create-hint = Once. A repeated event does not write it twice.
operation-update = Change the entry
operation-update-hint = Only what is filled in below.
operation-delete = Remove the entry
operation-delete-hint = The entry of the same booking.
action-title = Title
action-start = Begins
action-end = Ends
action-location = Where
action-description = Notes
action-attendees = Guests
action-attendees-hint = One email address or value a line. Google invites them.
action-entry = Which entry
action-entry-hint = Two entries for one booking need two names.
action-key = Name of the file
action-key-hint = With its folder: bookings/{"{{"} bookingId {"}}"}.json
action-content = Content
action-content-type = Kind of file
action-content-type-hint = Leave it empty: the ending of the name says it.

# Automations: preview
preview = Preview
preview-with = Preview with
preview-last = What happened last
preview-samples = Samples
preview-sample = Sample: { $label }
preview-email = Email
preview-sms = Text
preview-calendar = Entry
preview-storage = File
preview-plain = Plain
preview-json = JSON
preview-data = Data
preview-old = As it was before your last change:
preview-none = With this event, nothing is sent.
preview-mistake = A text cannot be read. It is marked on its field.
preview-missing = A value may say what stands in for it:
entry-removed = The entry is removed from the calendar.
entry-time = When

# Automations: a test to the owner
to-me-open = Send test to me
to-me-title = Send a test to me
to-me-lead = What you see, with the data of { $what }. It goes to you alone.
to-me-email = Your email address
to-me-phone = Your phone number
to-me-send = Send test
to-me-another = Send another

# Automations: versions
versions-title = Versions of “{ $name }”
versions-lead = Each change of its texts is kept. Restoring one makes a new version of it.
versions-dirty = Save or undo your changes first.
version = Version { $version }
version-current = in use
version-restored = restored from version { $version }
version-restore = Restore
version-restore-it = Restore version { $version }
version-text = Its text

# Automations: rehearsal, and sending again
rehearse-open = Rehearse…
rehearse-title = Rehearse with what really happened
rehearse-lead = Past events go through the automation as it is saved now. Nothing is sent.
rehearse-which = Automation
rehearse-do = Rehearse
rehearse-again = Rehearse again
rehearsing = Rehearsing
rehearse-samples = Some of them
rehearse-differences = Compared with what was sent then:
rehearse-missing = Missing values: { $names }.
rehearse-more = There were more than 10,000 events; the rest was left out.
rehearse-sent = What was sent
difference-same = { $said } the same
difference-changed = { $said } different
difference-added = { $said } not sent then
difference-removed = { $said } sent then, not now
differs-changed = different
differs-added = new
differs-removed = not now
outcome-brake = Held by the brake
outcome-superseded = Replaced by something newer
outcome-send = Would be sent
outcome-filtered = Not meant
outcome-missing = Would be held
outcome-nobody = Nobody to send to
outcome-late = Too late
outcome-not-set-up = Not set up
resend-open = Fix and resend…
resend-title = Send again with the texts as they are now
resend-lead = Mend the text first, then look at what each person would get.
resend-which = Automation
resend-unsaved = This automation has changes that are not saved. What goes out is what is saved.
resend-who = Which of them
resend-failed = Only those that failed
resend-all = All
resend-see = What each one gets
resend-rest = and { $said } more
since-label = Since
until-label = Until
period-today = today
period-yesterday = yesterday
period-mon = Monday
period-7d = seven days ago
period-30d = 30 days ago
ending-now = now
ending-today = the end of yesterday
ending-yesterday = two days ago

# Needs you: automations
problem-choose = Look and choose…
problem-automation = Automation

# Practice
practice-booking = Practice booking
practice-booking-more = Records a made-up booking, so that you see all five results.
results-of = What became of it
