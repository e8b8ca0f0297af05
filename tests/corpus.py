"""Fifty atlases and goals with known answers, to measure relevance with; the same on each machine.

Descriptions are put together from an action's verb and from what an object is; goals from other
verb phrases and from what people call that object. The two are written apart, though most goals
share a word with a description, as goals do. The ranking was made while looking at the goals about
every other atlas; the rest are held out.
"""

# ruff: noqa: E501 - a row of a table is a line

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Final, Literal, NamedTuple

from cra.atlas.model import Action, Atlas, Capability, ContextPack

SEED: Final = 20

# A verb: its spellings in ids, what descriptions say, what goals say.
VERBS: Final = """
create, add | Creates {noun}: {gloss}; Adds {noun} and returns its number. It is {gloss} | set up {goal}; {goal} should be made; we are adding {goal}
delete, remove | Deletes {noun} for good; Removes {noun}, which is {gloss} | get rid of {goal}; {goal} has to be deleted; removing {goal}
get, show | Returns {noun} with all its details. It is {gloss}; Shows one {bare} | look at the details of {goal}; let me view {goal}; showing {goal}
list | Lists each {bare}, newest first; Returns every {bare} that fits a filter. It is {gloss} | which {goal} do we have; a listing of {goal}; browse {goal}
update, edit | Changes fields of {noun}: {gloss}; Updates {noun} in place | modify {goal}; {goal} needs a change; correct something while updating {goal}
search, find | Searches for {noun} by text; Finds {noun} by any of its fields. It is {gloss} | locate {goal}; where is {goal}, search it; finding {goal}
export | Exports {noun} as a CSV file; Writes {noun}, {gloss}, to a file for download | {goal} exported as a spreadsheet; download {goal}; get an export of {goal}
approve | Approves {noun} that waits for a decision; Marks {noun} as approved | sign off on {goal} by approving; accept {goal}; {goal} awaits approval
cancel | Cancels {noun} before it takes effect; Withdraws {noun}, {gloss}, and tells those concerned | call off {goal}, cancelling it; cancellation of {goal}; abort {goal}
assign | Assigns {noun} to a person; Makes somebody responsible for {noun} | give somebody the job: {goal} to be assigned; assigning {goal} to a colleague; who is responsible for {goal}, put a person there
archive | Archives {noun}, which stays readable; Moves {noun} out of sight without deleting it | put {goal} into the archive; {goal} should be archived; archiving {goal}
merge | Merges two of the kind {bare} into one; Joins duplicates of {noun}, {gloss} | combine two of {goal}, merging duplicates; {goal} is there twice, merge them; merging {goal}
notify | Notifies those who follow {noun}; Sends a notification about {noun}, {gloss} | tell people about {goal}, a notification; inform the followers of {goal}; notifying people about {goal}
schedule | Schedules {noun} for a date; Plans {noun}, {gloss}, for later | plan {goal} for next week; {goal} scheduled for Monday; scheduling {goal}
validate, check | Validates {noun} against its rules; Checks {noun} for mistakes. It is {gloss} | make sure that {goal} is valid; verify {goal}; checking {goal}
copy, duplicate | Copies {noun} under a new number; Makes a duplicate of {noun}, {gloss} | the same again: copy {goal}; duplicating {goal}; {goal} cloned
"""

# An atlas: id, name. An object: its id; what it is; what people call it, alone and at length.
SUBJECTS: Final = """
support | Customer support
 ticket | a request that a customer sent to the help desk | support tickets; the customer's request at the desk
 macro | a canned reply that agents use again | the reply macros; canned replies for agents
 escalation | a case handed to the second level of support | escalated support cases; cases that went to second level
 satisfaction_survey | the questions asked after a case is closed | surveys of satisfaction; the questions we ask after closing
 help_article | a page of the public knowledge base | articles in the help centre; knowledge base pages
git | Source control
 branch | a line of development in a repository | git branches; a development line in the repo
 pull_request | a proposed change that waits for review | pull requests; the proposed code change under review
 commit | a recorded change of the source tree | commits; the change recorded in the source tree
 release_tag | the name of a version in the history | tags of releases; the version's name in the git history
 merge_conflict | lines that two changes touched at once | conflicts while merging; lines touched by both changes
devops | Deployment operations
 deployment | a version of a service that was rolled out | deployments; the rollout of a service version
 container | a running image on a host | containers; images running on the host
 feature_flag | a switch that turns behaviour on for some users | feature flags; the switch for new behaviour
 rollback | the return of a service to its former version | rolling a service back; going back to the former version
 health_probe | the question that tells whether a service is alive | probes of health; whether the service is alive probes
billing | Billing
 invoice | the sum a customer owes for a period | invoices; what the customer owes this period
 refund | money paid back for a charge | refunding a charge; paying money back
 subscription | a plan that is charged every month | subscribed plans; what is charged each month
 credit_note | a document that lowers an earlier bill | notes of credit; the document lowering a bill
 payment_method | the card or account that charges go to | methods of payment; the customer's card for charges
analytics | Data analysis
 dashboard | a page of charts for a team | dashboards; the team's charts page
 dataset | a table of measurements ready for analysis | datasets; the measurement tables we analyse
 query_template | a parametrised SQL statement | templates for queries; our SQL statement with parameters
 cohort | users grouped by when they signed up | cohorts; users grouped by their signup
 metric_definition | the formula behind a figure | definitions of metrics; formulas behind the figures
calendar | Calendar
 meeting | an appointment with several people | meetings; an appointment with people
 reminder | a message at a set time | reminders; messages at a given time
 meeting_room | a place that can be booked for an appointment | rooms for meetings; the bookable place
 holiday | a day on which an office is closed | holidays; days when the office is closed
 availability_slot | a free span of time that others may book | slots of availability; somebody's free time span
email | Email
 mailing_list | addresses that receive the same message | lists for mailing; addresses receiving our message
 draft_message | a mail that was written and not yet sent | drafts of messages; unsent mail I have written
 inbox_filter | the rule by which incoming mail is sorted | filters of the inbox; rules sorting incoming mail
 signature_block | the lines below each mail | signature blocks; the lines at the bottom of mails
 bounce_record | the proof that a mail could not be delivered | bounced mail records; mail that couldn't be delivered
crm | Sales and customers
 lead | a person who may buy | leads; persons who might buy
 opportunity | a deal that is being negotiated | opportunities; deals under negotiation
 account_plan | how a large customer is to be served | account plans; how we serve the large customer
 sales_forecast | the revenue expected of a quarter | forecasts of sales; revenue we expect in the quarter
 territory | the region a seller works in | territories; a seller's region
inventory | Warehouse inventory
 stock_item | goods that lie on a shelf | items in stock; goods on the shelf
 purchase_order | goods asked for from a supplier | purchase orders; goods we asked the supplier for
 warehouse | the building in which goods are kept | warehouses; the building for goods
 stock_count | the yearly counting of goods | counts of stock; the yearly count of goods
 reorder_level | the amount below which goods are ordered | levels for reordering; amount at which we order goods
shipping | Shipping
 shipment | a delivery that is on its way | shipments; the delivery on its way
 parcel_label | the sticker with address and barcode | labels for parcels; a sticker with the address
 carrier | the company that drives the goods | carriers; the company driving goods
 customs_form | the paper for the border | customs forms; papers at the border
 tracking_number | the code by which a delivery is followed | tracking numbers; the code to follow a delivery
hr | Human resources
 employee_record | what is kept about a member of staff | records of employees; what we keep on staff members
 leave_request | days off that somebody asks for | requests for leave; days off somebody asked for
 performance_review | the yearly talk about someone's work | reviews of performance; the yearly talk on work
 job_opening | a position to be filled | openings for jobs; positions we have to fill
 onboarding_plan | what a new colleague does in the first weeks | plans for onboarding; first weeks of a new colleague
payroll | Payroll
 payslip | what someone earned in a month | payslips; a month's earnings of someone
 salary_band | the range of pay of a grade | bands of salary; the pay range for a grade
 bonus | an extra sum for good work | bonuses; the extra sum for good work
 tax_withholding | the part of wages kept for the state | withheld tax; the wages part kept for the state
 overtime_entry | hours worked beyond the contract | overtime entries; hours beyond the contract
legal | Legal
 contract | an agreement signed by two parties | contracts; the agreement of both parties
 clause | a paragraph of an agreement | clauses; one paragraph in the agreement
 nda | a promise to keep secrets | NDAs; promises of secrecy, NDA
 litigation_hold | an order to keep papers for a lawsuit | holds for litigation; keeping papers for the lawsuit
 trademark | a protected name of a product | trademarks; a product's protected name
security | Security
 vulnerability | a weakness that can be attacked | vulnerabilities; weaknesses open to attack
 access_key | a secret by which a program signs in | keys for access; the program's secret for signing in
 incident | an attack or outage under investigation | incidents; attacks we are investigating
 firewall_rule | which traffic may pass | rules of the firewall; traffic that may pass
 penetration_test | an attack ordered by the owner | penetration tests; an attack the owner ordered
identity | Identity
 user_account | a person's right to sign in | accounts of users; somebody's right to sign in
 role_grant | permission given to a person | grants of roles; permissions a person was given
 password_reset | a new secret for someone locked out | resetting passwords; a new secret for a locked out person
 login_session | the time between sign-in and sign-out | sessions of login; times between sign-in and sign-out
 group_membership | who belongs to a team | memberships of groups; belonging to a team
monitoring | Monitoring
 alert_rule | when somebody is woken up | rules for alerts; when people are woken up
 log_stream | lines that a program writes | streams of logs; lines written by the program
 uptime_check | a visit to a site every minute | checks of uptime; visiting the site every minute
 trace_span | a timed part of a request | spans of traces; a request's timed part
 on_call_rota | who answers at night | on-call rotas; who's answering at night
database | Databases
 table_schema | the columns and their types | schemas of tables; column types
 backup | a copy from which data can be restored | backups; copies for restoring data
 index_definition | what makes a lookup fast | definitions of indexes; what makes lookups fast
 migration_script | statements that change the columns | migrations scripts; statements changing columns
 replica | a second server that follows the first | replicas; the server following the first
storage | File storage
 folder | a place that holds files | folders; the place holding files
 share_link | an address by which others open a file | links for sharing; an address to open the file
 file_version | an earlier state of a file | versions of files; a file's earlier state
 storage_quota | how much room a user has | quotas for storage; the room a user has
 upload | bytes that come in from a browser | uploads; bytes coming from the browser
cms | Website content
 blog_post | an entry of the company's journal | posts in the blog; entries in the journal
 landing_page | the page an advertisement leads to | landing pages; where the advertisement leads
 banner | a picture across the top of a site | banners; the picture across the site top
 navigation_menu | the links at the side of a site | menus for navigation; the links on the side
 comment_thread | what readers say below an entry | threads of comments; what readers are saying
marketing | Marketing
 campaign | advertising for a product over some weeks | campaigns; weeks of advertising the product
 audience_segment | people with a common interest | segments of the audience; people with common interests
 coupon | a code that lowers a price | coupons; codes lowering the price
 press_release | news written for journalists | releases for the press; news for journalists
 referral_program | a reward for bringing friends | referral programs; rewarding friends brought along
shop | Online shop
 product_listing | something for sale with price and picture | listings of products; things for sale with a picture
 shopping_cart | what a buyer has picked | carts of shoppers; things the buyer picked
 order | what a buyer has bought | a buyer's orders; things the buyer bought
 return_label | paper to send bought things back | labels for returns; sending bought things back
 gift_card | money to spend that one gives away | cards as gifts; giving away money to spend
travel | Business travel
 flight_booking | a seat on an aeroplane | bookings of flights; seats on the aeroplane
 hotel_reservation | a bed for some nights | reservations in hotels; some nights' beds
 itinerary | the stations of a journey | itineraries; the journey's stations
 visa_application | the permit to enter a country | applications for visas; permits for entering countries
 car_rental | a vehicle for some days | rentals of cars; vehicles for a few days
expenses | Expenses
 expense_report | what a trip has cost | reports of expenses; what trips cost
 receipt | the proof of a payment in a restaurant | receipts; restaurant payment proofs
 mileage_claim | kilometres driven in one's own car | claims for mileage; kilometres in my own car
 per_diem | the daily sum for meals | per diems; a daily sum for meals
 corporate_card | plastic that the firm pays for | cards of the corporation; the plastic our firm pays
accounting | Accounting
 journal_entry | two lines of debit and credit | entries in the journal of accounting; debit and credit lines
 ledger_account | a heading under which sums are booked | accounts of the ledger; headings for booked sums
 bank_reconciliation | the comparison of books with statements | reconciling the bank; comparing books and statements
 fixed_asset | a machine that loses value over years | fixed assets; machines losing value
 tax_return | what is declared to the revenue office | returns for tax; declaring to the revenue office
projects | Project management
 milestone | a date by which something is done | milestones; dates when things are done
 sprint | two weeks of planned work | sprints; two planned weeks
 backlog_story | a wish of a user waiting its turn | stories in the backlog; user wishes waiting
 risk_register | what may go wrong and how likely | registers of risk; what might go wrong
 timesheet | hours somebody spent on a job | timesheets; hours spent on jobs
education | Education
 course | lessons on one theme over a term | courses; a term's lessons
 enrolment | a student's place in a class | enrolments; the student's place in class
 exam_grade | the mark a student got | grades of exams; a student's marks
 assignment | homework with a deadline | assignments; homework with its deadline
 lecture_hall | the big room in which professors speak | halls for lectures; big rooms for professors
healthcare | Clinic
 patient_chart | the history of an ill person | charts of patients; an ill person's history
 prescription | medicine that a doctor orders | prescribed medicine; medicines doctors order
 lab_result | what a blood sample shows | results from the lab; what blood samples showed
 clinic_visit | a time at which the doctor sees someone | visits in the clinic; the doctor seeing someone
 vaccination | an injection against an illness | vaccinations; injections against illness
insurance | Insurance
 policy_document | what an insured person is covered for | documents of the policy; what someone insured is covered for
 damage_claim | what somebody asks after an accident | claims for damage; asking after the accident
 premium | what cover costs in a year | premiums; the yearly costs of cover
 beneficiary | who is paid in the end | beneficiaries; persons paid in the end
 loss_assessment | an expert's view of what broke | assessing losses; the expert's view on what's broken
banking | Banking
 wire_transfer | money sent to another bank | transfers by wire; sending money to the other bank
 loan | money lent against interest | loans; lending money with interest
 standing_order | the same payment every month | orders that stand; identical monthly payments
 debit_card | plastic that takes from a deposit | debit cards; plastic taking from deposits
 overdraft | spending more than there is | overdrafts; spending more than is there
realestate | Real estate
 property | a house or flat on offer | properties; houses and flats on offer
 lease | the agreement of a tenant | leases; a tenant's agreement
 viewing | a tour for people who look for a home | viewings; tours for home seekers
 maintenance_job | a repair in a flat | jobs of maintenance; repairing a flat
 rent_statement | what a tenant paid | statements of rent; what tenants paid
restaurant | Restaurant
 reservation | a table kept for guests | table reservations; tables kept for guests
 dish | something to eat on the card | dishes; something for eating on the card
 recipe | how the cook prepares food | recipes; the cook's food preparing
 kitchen_shift | hours a cook works | shifts in the kitchen; the hours of a cook
 allergen_sheet | what eaters may not bear | sheets of allergens; what eaters can't bear
logistics | Fleet logistics
 truck | a vehicle of the fleet | trucks; fleet vehicles
 delivery_route | the order of stops on a tour | routes for delivery; ordering of the tour's stops
 driver | the person at the wheel | drivers; persons at the wheel
 fuel_log | how much diesel was filled in | logs of fuel; diesel filled in
 toll_charge | what a motorway costs | charges for tolls; motorway costs
manufacturing | Manufacturing
 work_order | parts to be made by a machine | orders of work; machine parts to be made
 assembly_line | stations at which a thing is put together | lines of assembly; stations putting things together
 quality_inspection | the look at each finished piece | inspections of quality; looking at finished pieces
 bill_of_materials | the parts a product consists of | bills of materials; parts the product consists of
 machine_downtime | hours in which nothing turned | downtimes of machines; hours when nothing turned
energy | Energy
 meter_reading | how many kilowatt hours were used | readings of meters; used kilowatt hours
 solar_array | panels on a roof | arrays of solar; roof panels
 tariff | the price of a kilowatt hour | tariffs; prices per kilowatt hour
 grid_outage | streets without current | outages in the grid; a street without current
 charging_point | a socket for electric cars | points for charging; sockets for an electric car
agriculture | Farming
 field_plot | a piece of land with a crop | plots of fields; land pieces with crops
 harvest | what was brought in | harvests; bringing in what grew
 irrigation_cycle | water at set hours | cycles of irrigation; watering hours
 livestock_animal | a cow or sheep with an ear mark | livestock animals; cows with ear marks
 soil_sample | earth sent to a laboratory | samples of soil; earth for the laboratory
library | Library
 book_loan | a volume that a reader took home | loans of books; volumes readers took home
 catalogue_entry | title, author and shelf | entries in the catalogue; authors and shelves
 reading_room_seat | a place to study | seats in the reading room; places for studying
 overdue_fine | what a late reader pays | fines when overdue; late readers pay
 interlibrary_request | a volume from another town | requests between libraries, interlibrary; volumes from other towns
museum | Museum
 exhibition | works shown for some months | exhibitions; works to be shown for months
 artwork | a painting or sculpture | artworks; paintings and sculptures
 guided_tour | an hour with an explainer | tours with a guide; hours with an explainer
 restoration | the repair of an old painting | restorations; repairing old paintings
 admission_pass | the paper for visitors at the door | passes of admission; visitors at the door
sports | Sports club
 fixture | a match against another club | fixtures; matches against other clubs
 player_transfer | an athlete who changes clubs | transfers of players; an athlete changing clubs
 training_plan | exercises of a week | plans for training; a week's exercises
 season_pass | entry to all home matches | passes for the season; entering all home matches
 referee | who whistles | referees; whoever whistles
music | Music streaming
 playlist | songs in an order | playlists; ordered songs
 album | songs published together | albums; songs that were published together
 royalty_payment | what a composer gets per play | payments of royalties; composers get per play
 lyrics_sheet | the words to a tune | sheets of lyrics; words of the tune
 concert | an evening on a stage | concerts; evenings on stage
video | Video production
 film_clip | a short piece of footage | clips of film; short footage
 subtitle_track | the spoken words in writing | tracks of subtitles; spoken words, written
 render_job | hours of computing for a picture | jobs for rendering; computing pictures for hours
 storyboard | a drawing of each scene | storyboards; scene drawings
 broadcast | a programme sent live | broadcasts; live programmes
gaming | Games
 leaderboard | the best players by points | leaderboards; the best by points
 achievement | an honour for a deed in play | achievements; honours for deeds
 game_server | where a match is hosted | servers for games; hosting a match
 loot_table | what a monster drops | tables of loot; things monsters drop
 player_ban | a cheater shut out | bans of players; shutting cheaters out
chat | Team chat
 channel | a place where a team talks | channels; where the team is talking
 direct_message | words to one person only | direct messages; words for only one person
 emoji_pack | small faces to react with | packs of emoji; reacting with small faces
 pinned_note | what stays at the top of a talk | pinned notes; staying at the talk's top
 voice_call | speaking over the network | calls by voice; network speaking
documents | Document office
 word_template | a letter with gaps | templates in Word; letters with gaps
 scan | a paper made into pixels | scans; papers as pixels
 e_signature | a name under a text by mouse | e-signatures; names under texts by mouse
 redline | the marked differences of two texts | redlines; marked differences in texts
 print_queue | sheets waiting at a machine | queues for printing; waiting sheets
translation | Translation
 glossary_term | how a word is to be rendered | terms in the glossary; rendering a word
 translation_job | a text for another language | jobs of translation; texts in another language
 language_pair | from one tongue to another | pairs of languages; tongue to tongue
 proofread | a second pair of eyes on a text | proofreading; second eyes on the text
 memory_segment | a sentence rendered before | segments of memory; sentences rendered earlier
research | Research
 experiment | a trial in a laboratory | experiments; laboratory trials
 grant_proposal | asking a foundation for funds | proposals for grants; funds from the foundation
 citation | a mention of someone's paper | citations; mentioning papers
 specimen | a thing kept in a jar | specimens; things in jars
 peer_opinion | what colleagues think of a manuscript | opinions of peers; manuscripts and colleagues' thoughts
weather | Weather service
 storm_warning | word that wind is coming | warnings of storms; wind is coming
 rain_gauge | a tube that catches drops | gauges for rain; tubes catching drops
 weather_station | instruments on a mast | stations for weather; mast instruments
 climate_series | temperatures of a century | series on climate; a century's temperatures
 pollen_index | what makes people sneeze | indexes of pollen; sneezing people
maps | Maps
 waypoint | a dot on the way | waypoints; dots on a way
 map_layer | a sheet of streets or heights | layers of maps; streets or heights sheets
 geofence | a border that is watched by satellite | geofences; satellite watched borders
 address_lookup | a street found by its name | looking up addresses; finding streets by name
 traffic_jam | cars that stand | jams in traffic; standing cars
iot | Smart building
 sensor | a thing that measures warmth | sensors; things measuring warmth
 thermostat | what keeps a room warm | thermostats; keeping rooms warm
 door_lock | what a badge opens | locks on doors; badges opening something
 firmware_image | the program in a device | images of firmware; device programs
 light_scene | lamps dimmed together | scenes of light; dimming lamps together
ml | Machine learning
 training_run | hours in which weights are learned | runs of training; learning weights for hours
 model_checkpoint | the weights at some moment | checkpoints of models; weights at a moment
 label_task | pictures that people name | tasks for labels; people naming pictures
 feature_store | inputs computed beforehand | stores of features; inputs computed before
 inference_endpoint | an address that answers with a guess | endpoints for inference; addresses answering guesses
charity | Charity
 donation | money given for a good cause | donations; giving for a good cause
 volunteer | a helper without pay | volunteers; unpaid helpers
 fundraiser | an evening for collecting money | fundraisers; evenings collecting money
 sponsorship | a firm that bears costs | sponsorships; firms bearing costs
 food_parcel | groceries for those in want | parcels of food; groceries for those who lack
"""

PACKS: Final = """
rules | Rules for {noun} | what is allowed with {goal}; which rules hold for {goal}
runbook | What to do when {noun} makes trouble | the runbook on {goal}; steps when there is trouble with {goal}
introduction | An introduction to {noun} for newcomers | I am new here: introduce me to {goal}; introductory reading on {goal}
"""

PARAMETERS: Final = {
    "reason": "Why this is done, in a sentence",
    "dry_run": "Only say what would be done",
    "requested_by": "Who asked for it",
    "comment": "Anything worth knowing later",
    "limit": "At most so many",
}

WRAPPERS: Final = (
    "{}",
    "{}",
    "please {}",
    "I need this: {}",
    "{} before the end of the day",
    "hi, could you take care of it? {}. Thanks!",
    "the boss wants {} as soon as possible",
    "{}, number 4711",
)

Kind = Literal["named", "described", "two", "object", "pack"]


class Object(NamedTuple):
    id: str
    gloss: str
    named: str
    described: str

    @property
    def noun(self) -> str:
        return self.id.replace("_", " ")

    @property
    def a_noun(self) -> str:
        return f"{'an' if self.noun[0] in 'aeio' else 'a'} {self.noun}"


class Verb(NamedTuple):
    ids: tuple[str, ...]
    descriptions: tuple[str, ...]
    goals: tuple[str, ...]


class Goal(NamedTuple):
    """A goal, and all documents that are right for it."""

    text: str
    kind: Kind
    right: frozenset[str]
    is_held_out: bool


class Corpus(NamedTuple):
    atlases: tuple[Atlas, ...]
    goals: tuple[Goal, ...]


@lru_cache(maxsize=1)
def corpus() -> Corpus:
    atlases, goals = [], []
    for number, block in enumerate(_blocks()):
        random = Random(f"{SEED} {number}")
        atlas, operations = _atlas(random, block)
        atlases.append(atlas)
        for kind, text, right in _goals(random, atlas, operations, _objects(block)):
            said = random.choice(WRAPPERS).format(text)
            if random.random() < 0.1:
                said = _misspelled(random, said)
            goals.append(Goal(said, kind, right, bool(number % 2)))
    return Corpus(tuple(atlases), tuple(goals))


class Operation(NamedTuple):
    action: Action
    object: Object
    verb: Verb


def _blocks() -> list[list[str]]:
    blocks: list[list[str]] = []
    for line in SUBJECTS.strip().split("\n"):
        if not line.startswith(" "):
            blocks.append([])
        blocks[-1].append(line.strip())
    return blocks


def _objects(block: list[str]) -> list[Object]:
    found = []
    for line in block[1:]:
        id_, gloss, goals = line.split(" | ")
        found.append(Object(id_, gloss, *goals.split("; ")))
    return found


def _verbs() -> list[Verb]:
    columns = (line.split(" | ") for line in VERBS.strip().split("\n"))
    return [
        Verb(tuple(ids.split(", ")), *(tuple(x.split("; ")) for x in rest))
        for ids, *rest in columns
    ]


def _atlas(random: Random, block: list[str]) -> tuple[Atlas, list[Operation]]:
    subject, name = block[0].split(" | ")
    objects = _objects(block)
    operations = [
        Operation(_action(random, subject, object_, verb), object_, verb)
        for object_ in objects
        for verb in random.sample(_verbs(), 8)
    ]
    packs, files = [], {}
    for object_, line in zip(random.sample(objects, 3), PACKS.strip().split("\n"), strict=True):
        kind, title, _ = line.split(" | ")
        heading = title.format(noun=object_.a_noun)
        file = f"{kind}/{object_.id}.md"
        others = ", ".join(other.noun for other in objects)
        files[file] = (
            f"# {heading}\n\nIn short, {object_.a_noun} is {object_.gloss}.\n\n"
            f"## Where it belongs\n\n{name} knows of {others}. Ask the team when in doubt.\n"
        ).encode()
        packs.append(ContextPack(f"{object_.id}_{kind}", heading, (file,), purpose=object_.gloss))
    atlas = Atlas(
        atlas_id=f"org.example.{subject}",
        version="1.0.0",
        name=name,
        description=f"Actions and context for {name.lower()}",
        actions=tuple(operation.action for operation in operations),
        policies=(),
        context_packs=tuple(packs),
        capabilities=tuple(_capability(one, operations) for one in objects),
        dependencies={},
        files=files,
        digest="0" * 64,
        domains=(subject,),
    )
    return atlas, operations


def _capability(object_: Object, operations: list[Operation]) -> Capability:
    actions = tuple(one.action.action_id for one in operations if one.object == object_)
    return Capability(object_.id, f"Work with {object_.noun}", object_.gloss, actions)


def _action(random: Random, subject: str, object_: Object, verb: Verb) -> Action:
    said = random.choice(verb.ids)
    extra = random.sample(sorted(PARAMETERS), 2)
    properties = {
        f"{object_.id}_id": {"type": "string", "description": f"Which {object_.noun}"},
        **{name: {"type": "string", "description": PARAMETERS[name]} for name in extra},
    }
    return Action(
        action_id=f"{subject}.{object_.id}.{said}",
        name=f"{said.capitalize()} {object_.noun}",
        description=random.choice(verb.descriptions).format(
            noun=object_.a_noun, bare=object_.noun, gloss=object_.gloss
        ),
        parameters_schema={"type": "object", "properties": properties},
        examples=({f"{object_.id}_id": f"{object_.id[0].upper()}-{random.randrange(10_000)}"},),
    )


def _goals(
    random: Random, atlas: Atlas, operations: list[Operation], objects: list[Object]
) -> Iterator[tuple[Kind, str, frozenset[str]]]:
    """Seven goals about one atlas."""
    *single, first, second = random.sample(operations, 6)
    for number, one in enumerate(single):
        kind: Literal["named", "described"] = "described" if number % 2 else "named"
        yield kind, _said(random, one, kind), frozenset({one.action.action_id})
    both = f"{_said(random, first, 'named')}, and then {_said(random, second, 'named')}"
    yield "two", both, frozenset({first.action.action_id, second.action.action_id})
    object_ = random.choice(objects)
    every = frozenset(one.action.action_id for one in operations if one.object == object_)
    yield "object", f"everything that can be done about {object_.named}", every
    at = random.randrange(3)
    pack = atlas.context_packs[at]
    object_ = next(one for one in objects if pack.purpose == one.gloss)
    phrases = PACKS.strip().split("\n")[at].split(" | ")[2].split("; ")
    called = random.choice((object_.named, object_.described))
    yield (
        "pack",
        random.choice(phrases).format(goal=called),
        frozenset({f"{atlas.atlas_id}/{pack.pack_id}"}),
    )


def _said(random: Random, operation: Operation, kind: Literal["named", "described"]) -> str:
    called = getattr(operation.object, kind)
    return random.choice(operation.verb.goals).format(goal=called)


def _misspelled(random: Random, text: str) -> str:
    """The longest word with two neighbours inside it exchanged."""
    longest = max(text.split(), key=len)
    at = random.randrange(1, len(longest) - 2)
    typo = longest[:at] + longest[at + 1] + longest[at] + longest[at + 2 :]
    return text.replace(longest, typo, 1)
