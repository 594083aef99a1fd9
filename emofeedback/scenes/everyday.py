"""Everyday words: what people type for the concepts of the scene world beyond the captions' own words.

Every table is a plain text of words and phrases, parted by commas. What WordNet adds stands in words.csv.
"""


def listed(text: str) -> tuple[str, ...]:
    """The phrases of a comma list."""
    return tuple(" ".join(phrase.split()) for phrase in text.split(",") if phrase.strip())


ALIASES: dict[tuple[str, str], tuple[str, ...]] = {
    key: listed(text)
    for key, text in {
        ("place", "meadow"): """
            field of grass, fields, wheat field, cornfield, prairie, hillside, valley, grass, lawn, countryside, moor,
            heath, plain, plains, steppe, savanna, field of flowers, field of poppies, lavender field, pasture,
            grasslands, savannah, rice field
        """,
        ("place", "forest"): """
            wood, jungle, rainforest, woodlands, pine forest, birch forest, grove, forests, redwoods, bamboo forest,
            treeline
        """,
        ("place", "lake"): """
            lakeshore, lagoon, loch, reservoir, mountain lake, lakes, lake front, lakefront, in a pond, on a
            pond, in the pond, on the pond
        """,
        ("place", "seaside"): """
            seashore, beach, shoreline, bay, cliff, cliffs, cove, sand beach, seafront, sea shore, coastline, sandy
            beach, open sea, high seas, ocean, seas, oceans, beaches, promenade, boardwalk
        """,
        ("place", "mountains"): """
            hills, hill, peaks, alps, mountain, mountainside, mountaintop, hilltop, summit, peak, ridge, mountain
            range, canyon, gorge, fjord, glacier, himalayas, mount, mount fuji, fuji, mount everest, mountain pass
        """,
        ("place", "village"): "town, townlet, settlement, villages, old town, small village, fishing village",
        ("place", "city"): """
            downtown, skyline, big city, cities, city centre, city center, cityscape, rooftops, city skyline, rooftop,
            urban, capital, suburb, suburbs, construction crane, tower crane,
            construction site, new york, paris, london, tokyo, manhattan, venice
        """,
        ("place", "park"): "city park, parks, playground, zoo, picnic area, golf course",
        ("place", "desert"): "deserts, dune, dunes, sand dune, sahara, oasis, badlands, arid plain",
        ("place", "river"): """
            riverside, creek, brook, canal, stream, rivers, riverbank, river bank, rapids, swamp, marsh, marshland,
            wetlands, bayou, river bend
        """,
        ("place", "garden"): """
            orchard, vineyard, gardens, rose garden, flower garden, courtyard, back yard, patio, terrace, greenhouse,
            backyard, front yard, flower bed, vegetable garden
        """,
        ("place", "road"): """
            highway, path, country lane, trail, roads, motorway, dirt road, footpath, country road, roadside,
            crossroads, track, bend in the road, railroad, railway track, railway line, paths, route 66
        """,
        ("place", "island"): "islands, isle, isles, atoll, tropical island, desert island, hawaii, archipelago",
        ("place", "waterfall"): "waterfalls, falls, cascade, cascades, cataract, niagara falls",
        ("place", "farm"): "ranch, farmyard, barnyard, barn, farms, farmstead, homestead, stable, stables, plantation",
        ("place", "street"): """
            city street, streets, avenue, boulevard, alley, alleyway, square, town square, plaza, sidewalk, pavement,
            market square, back alley, side street, main street, city square, crosswalk, pedestrian zone, street
            corner, marketplace, market place, village square, narrow street, shopping street
        """,
        ("place", "harbour"): """
            harbor, port, dock, docks, marina, quay, wharf, pier, jetty, harbours, seaport, fishing port, harbourside,
            fishing harbour
        """,
        ("place", "bedroom"): """
            room, living room, bed, nursery, hotel room, attic, bed room, sofa, couch, armchair, window sill,
            windowsill, study, bedrooms, dormitory, hospital room, on the bed, lounge, indoors,
            by a window, by the window, at a window, at the window, beside the window,
            next to the window, in the window, window seat, out of the window, out of a window, through the window
        """,
        ("place", "kitchen"): "dining room, kitchen table, bakery, kitchens, kitchenette, stove, oven, kitchen sink",
        (
            "place",
            "cafe",
        ): """
            coffee shop, restaurant, bistro, bar, pub, tavern, diner, coffeehouse, tea house, teahouse, cafes, tea
            room, coffee bar, pizzeria, ice cream parlour, inn
        """,
        ("subject", "person"): """
            people, men, women, guy, lady, somebody, human, adult, figure, stranger, pedestrian, passer-by, traveller,
            traveler, hiker, fisherman, farmer, soldier, king, queen, princess, prince, knight, astronaut, cyclist,
            gentleman, father, mother, mum, mom, dad, wife, husband, brother, sister, friend, friends, bride, groom,
            neighbour, worker, sailor, teacher, nurse, doctor, chef, waiter, waitress, artist, painter, musician,
            singer, guitarist, violinist, monk, nun, priest, pilot, policeman, firefighter, businessman, student,
            tourist, tourists, commuters, commuter, shepherd, cowboy, cowgirl, pirate, wizard, witch, samurai, ninja,
            viking, warrior, villager, villagers, guys, ladies, folk, folks, human being, young man, young woman,
            teenager, teen, photographer, gardener, climber, surfer, skier, rider, driver, tall man, silhouette,
            fishermen, beekeeper, postman, mechanic, barber, cashier, tailor, carpenter, audience, lover, widow, hermit,
            hitchhiker, snowboarder, diver, swimmer, skater, skateboarder, individual, model, hero, heroine, explorer,
            detective, clown, juggler, magician, busker, drummer, pianist, saxophonist, trumpeter, him, someone,
            wanderer, old people, elderly people, policewoman, policewomen, businesswoman, businesswomen, saleswoman,
            fisherwoman, sportswoman
        """,
        ("subject", "couple"): """
            elderly couple, old couple, grandparents,
            man and woman, bride and groom, newlyweds, two lovers, lovers, husband and wife, boyfriend and girlfriend,
            man and his wife, woman and a man, woman and man, mum and dad, mom and dad
        """,
        ("subject", "child"): """
            children, kids, toddler, schoolboy, schoolgirl, youngster, young boy, young girl, son, daughter,
            schoolchildren, little ones, grandson, granddaughter, grandchild, pupil, schoolkid
        """,
        (
            "subject",
            "sitter",
        ): "sitter, seated figure, meditating person, sunbather, picnicker, sitting man, sitting woman",
        ("subject", "runner"): """running person, sprinter, marathon runner, joggers, racer, athlete""",
        ("subject", "dancer"): "dancing person, ballet dancer, dancing figure, dancing couple, salsa dancer",
        ("subject", "family"): """
            families, mother and child, mother and her child, mother and father with children, father and son, mother
            and daughter, father and daughter, mother and son, parents and children, parents, parents and kids, mother
            and baby, mother and her baby, father and his son, mother and her daughter
        """,
        ("subject", "old man"): """
            grandpa, pensioner, grandad, granddad, old fisherman, elder, elderly person, old person, old sailor,
            senior citizen, elderly gentleman, old farmer, old gentleman, old shepherd, old soldier, great-grandfather,
            old woman, old lady, elderly lady, grandmother, grandma, granny, great-grandmother, nan, nana, old women,
            old men, old ladies, grandmothers, elderly women, elderly men, elderly woman, elderly ladies,
            gran, old witch
        """,
        ("subject", "baby"): "newborn, infant child, babies",
        ("subject", "dog"): """
            doggy, doggie, pooch, retriever, golden retriever, labrador, poodle, terrier, husky, dachshund, corgi,
            beagle, bulldog, collie, shepherd dog, german shepherd, spaniel, dalmatian, chihuahua, mutt, greyhound,
            pug, border collie, street dog, stray dog, guide dog, saint bernard, great dane
        """,
        ("subject", "cat"): """
            kitty, tomcat, siamese cat, persian cat, stray cat, feline, ginger cat, tom cat, kitties, street cat,
            alley cat, calico cat, pussycat, lion, lions, lioness, tiger, tigers
        """,
        (
            "subject",
            "horse",
        ): "stallions, mustang, horseback, donkey, mule, unicorn, unicorn pony, zebra, steed, racehorse",
        ("subject", "bird"): """
            pigeon, gull, seagull, eagle, hawk, falcon, parrot, crow, raven, hummingbird, blackbird, heron, stork,
            flamingo, peacock, penguin, chicken, rooster, hen, dove, bluebird, crane, finch, woodpecker, kingfisher,
            canary, magpie, pelican, sparrows, turkey, nightingale, starlings, starling, swallows, cockerel
        """,
        ("subject", "deer"): "reindeer, moose, elk, caribou, bambi, antelope, gazelle",
        ("subject", "wolf"): "wolf pack, pack of wolves, coyote, jackal, werewolf",
        ("subject", "butterfly"): "moth, butterflies, dragonfly",
        ("subject", "owl"): "barn owls, snowy owl, night owl, eagle owl, owlet",
        ("subject", "rabbit"): "bunny rabbit, hares, bunnies, easter bunny, jackrabbit",
        ("subject", "cow"): "cattle, buffalo, bison, oxen, herd of cows, yak, highland cow, water buffalo",
        ("subject", "sheep"): "goat, herd of sheep, flock of sheep, goats, rams, ewes",
        ("subject", "fox"): "foxes, arctic fox, fennec",
        ("subject", "bear"): "grizzly, polar bear, panda, koala, teddy bear, giant panda",
        ("subject", "elephant"): "elephants, mammoth, african elephant, asian elephant",
        ("subject", "fish"): "koi, shark, goldfish, koi fish, fishes, herring, tuna, clownfish, trout, pike",
        ("subject", "duck"): "goose, geese, mallards, drake",
        ("subject", "swan"): "swans, whooper, wild swans",
        ("subject", "car"): """
            taxi, cab, jeep, convertible, sports car, limousine, police car, vintage car, race car, racing car,
            beetle, motorcar, hatchback, sedan, suv, vehicle, vw beetle, cars, old timer, traffic
        """,
        ("subject", "bicycle"): "bikes, mountain bike, cycle, motorbike, motorcycle, scooter, tricycle, moped, vespa",
        ("subject", "statue"): "bust, figurine, memorial, obelisk, sphinx, stone angel, snowman, scarecrow, gargoyle",
        ("subject", "tent"): "camp, camping, campsite, tipi, teepee, wigwam, yurt, marquee, tents",
        ("subject", "bench"): "stone bench, bench seat, benches",
        ("subject", "flower"): """
            bloom, sunflower, poppy, lily, orchid, daffodil, lotus, dandelion, iris, carnation, violets, lavender,
            peony, hyacinth, crocus, snowdrop, bluebell, rosebud, roses, tulips, poppies, sunflowers, daisies,
            daffodils, bouquet, bouquet of flowers, bunch of flowers, vase of flowers
        """,
        ("subject", "campfire"): "camp-fire, bonfires, log fires, barbecue, fire pit, beach fire",
        ("subject", "fountain"): "fountains, water feature, drinking fountain",
        (
            "subject",
            "market stall",
        ): """
            market, stall, farmers market, street market, kiosk, vegetable stall, flower stall, food stand, street
            vendor, stalls, market stalls, bazaar, food truck stall, lemonade stand, fish market
        """,
        ("subject", "umbrella"): "umbrellas, beach umbrella, sunshade, brolly, sun umbrella, parasols",
        (
            "subject",
            "house",
        ): """
            building, villa, mansion, bungalow, town house, townhouse, manor, farm house, tree house, country house,
            school, station, wooden house, houses, buildings, chalet, hotel, shop, library, hospital, museum, temple,
            pagoda, barracks, factory, warehouse, garage, apartment building, block of flats, store, railway station,
            train station, schoolhouse, haunted house, igloo
        """,
        ("subject", "lighthouse"): "lighthouses, light house, beacons",
        ("subject", "windmill"): "windmills, wind turbine, wind turbines, watermill, water mill",
        ("subject", "church"): "cathedral, village church, monastery, abbey, chapels, mosque, basilica, shrine",
        ("subject", "castle"): "palace, fort, citadel, castles, stronghold",
        ("subject", "tree"): """
            trees, pine, pine tree, fir, fir tree, birch, willow, maple, maple tree, cherry tree, apple tree, beech,
            linden, cypress, spruce, elm, cherry blossom tree, christmas tree, old oak, willow tree, row of trees,
            weeping willow, olive tree, chestnut tree
        """,
        ("subject", "train"): "trains, railway, tram, subway train, express train, streetcar, freight train, trolley",
        (
            "subject",
            "boat",
        ): """
            yacht, canoe, kayak, gondola, rowboat, fishing boat, motorboat, dinghy, raft, ferry boat, boats, sail
            boat, wooden boat, fishing boats, catamaran, riverboat, houseboat, paddle boat, speedboat
        """,
        ("subject", "palm"): "palms, palm trees, coconut tree, date palm, coconut palms",
        ("subject", "bridge"): "bridges, drawbridge, viaduct, suspension bridge, golden gate bridge, rope bridge",
        (
            "subject",
            "tower",
        ): """
            towers, watchtower, bell tower, belfry, water tower, eiffel tower, turret, church tower, control tower,
            clocktower, steeple, minaret, radio tower, leaning tower
        """,
        (
            "subject",
            "skyscraper",
        ): "skyscrapers, high rise, tower block, high-rise building, office building, high-rises",
        ("subject", "ship"): """
            sailing ship, galleon, steamer, ferry, freighter, frigate, warship, cargo ship, tanker, pirate ship,
            ships, ocean liner, tall ship, cruise liner, trawler, battleship, container ship, steamboat
        """,
        ("subject", "bus"): "buses, double-decker, school bus, minibus, tour bus, double decker bus, omnibus",
        (
            "subject",
            "truck",
        ): "trucks, van, tractor, fire truck, fire engine, pickup, delivery van, camper van, lorries",
        (
            "subject",
            "airplane",
        ): """
            jet, aircraft, airliner, planes, biplane, fighter jet, helicopter, glider, jumbo jet, airplanes, passenger
            plane, propeller plane
        """,
        ("subject", "hot-air balloon"): "hot air balloons, blimp, airship, zeppelin",
        ("time", "dawn"): """
            dawn, sunrise, daybreak, in the morning, early morning, morning, first light, rising sun, break of day,
            crack of dawn, sun rises, sun rising, morning light, early in the morning, sun is rising
        """,
        ("time", "day"): """
            noon, midday, daytime, during the day, daylight, afternoon, in broad daylight, lunchtime, late morning,
            late afternoon, broad daylight
        """,
        ("time", "sunset"): """
            sunset, sundown, setting sun, golden hour, sunsets, sun sets, sun goes down, evening sun, evening glow,
            sun setting, afterglow, sun is setting
        """,
        ("time", "dusk"): "dusk, twilight, nightfall, evening, blue hour, gloaming, late evening, early evening",
        ("time", "night"): """
            night, midnight, nighttime, in the night, in the dark, in darkness, nights, at nighttime, middle of the
            night, late night, night-time, nocturnal, nightscape, tonight, darkness
        """,
        (
            "weather",
            "clear",
        ): """
            clear sky, clear skies, clear weather, blue sky, sunny, sunshine, sun, sunlight, blue skies, cloudless,
            cloudless sky, good weather, nice weather, fine weather, sunlit, sun-drenched, sunny day, bright sun,
            clear day, bright day
        """,
        ("weather", "cloudy"): "clouds, cloud, cloudy sky, cloudy skies, fluffy clouds, white clouds, partly cloudy",
        (
            "weather",
            "overcast",
        ): """
            grey sky, dark clouds, heavy clouds, grey skies, leaden sky, gloomy sky, dull weather, gloomy weather,
            overcast sky, overcast day, grey day, low clouds, thick clouds
        """,
        (
            "weather",
            "rain",
        ): """
            rain, rainstorm, raining, drizzle, downpour, rains, rainfall, rain shower, shower of rain, monsoon, heavy
            rain, pouring, drizzling, raindrops, rainy day, rain-soaked, cloudburst
        """,
        ("weather", "thunderstorm"): """
            storm, thunderstorm, thunder, lightning, storm clouds, tempest, thunderclouds, lightning bolt, lightning
            strike, storms, hurricane, typhoon, tempestuous, stormy sky, thundercloud
        """,
        ("weather", "snow"): """
            snow, snowfall, snowing, snowstorm, blizzard, snowflakes, snow-covered, snow covered, snowdrift,
            snow-capped, snowbound, snows, fresh snow, deep snow, snowy day
        """,
        ("weather", "fog"): "fog, mist, haze, hazy, smog, fogbound, low fog, morning mist, morning fog, sea mist",
        (
            "weather",
            "wind",
        ): "wind, gale, breeze, breezy, gusty, windblown, gusts, gust of wind, wind-blown, gales",
        ("season", "spring"): "springtime, vernal, spring's, spring day, april, may day, spring morning",
        ("season", "summer"): "summertime, midsummer, summer's, july, august, high summer, summery, heatwave",
        (
            "season",
            "autumn",
        ): "autumnal, fall, autumn's, october, november, fall colors, autumn colours, autumn leaves, september",
        (
            "season",
            "winter",
        ): """
            wintertime, midwinter, winter's, december, january, february, christmas, frost, frosty, icy, ice, frozen,
            wintery, winters
        """,
        ("palette", "natural"): "in natural colours, natural colours",
        ("palette", "vivid"): """
            vivid, vivid colours, bright colours, in bright colours, saturated colours, vibrant, vibrant colours,
            colourful, rainbow colours, neon colours, bold colours, technicolour, saturated, multicoloured, neon,
            brightly coloured, many colours
        """,
        ("palette", "muted"): """
            muted, muted colours, dull colours, dark colours, pale colours, faded colours, pastel, pastels, pastel
            colours, black and white, monochrome, desaturated, sepia, greyscale, washed out, soft colours, pastel
            tones, earth tones, in black and white, colourless
        """,
        (
            "palette",
            "warm",
        ): """
            warm colours, warm tones, warm light, golden light, in warm light, warm glow, golden glow, amber light,
            orange light, candlelight, candlelit, lamplight, warm hues, amber tones, soft warm light
        """,
        (
            "palette",
            "cold",
        ): """
            cold colours, cool colours, cold tones, cold light, in cold light, cool tones, blue light, icy blue, cool
            light, cold hues, cold blue light, pale blue light, cool blue light
        """,
        ("light", "even"): "in even light, even light",
        ("light", "bright"): """
            bright light, strong light, well lit, bright lights, brilliant light, floodlit, brightly, radiant light,
            spotlight, dazzling light, luminous, harsh light
        """,
        (
            "light",
            "dim",
        ): """
            dim light, low light, dark, gloom, shadows, shadowy, dimly, half-light, darkened, half light, in the
            shadows, in shadow, faint light, in the shade
        """,
        ("pose", "smiling"): """
            smile, smiles, smiled, laughing, laughs, grinning, grins, grin, giggling, beaming, laughter, laugh,
            chuckling
        """,
        ("pose", "cheering"): """
            cheering, cheers, celebrating, celebrates, arms raised, raised arms, hands up, arms up, hands in the air,
            arms in the air, waves goodbye, jumping for joy, rejoicing, arms thrown up, one
            fist up, waving with both arms
        """,
        (
            "pose",
            "downcast",
        ): """
            bowed head, head down, head bowed, head lowered, lowered
            head, crying, weeping, cries, weeps, tears, in tears, sobbing, heads bowed, hanging head,
            mourning, grieving, praying
        """,
        ("pose", "asleep"): """
            sleeping, sleeps, asleep, napping, dozing, snoozing, slumbering, eyes closed, curled up, nap, taking a
            nap, slumber, closed eyes, eyes half shut, fell asleep, snoring, sleepy
        """,
        ("pose", "alarmed"): """
            eyes wide open, wide-eyed, wide eyes, screaming, screams, shouting, startled, fleeing, flees, terrified,
            frightened, scared, shocked, panicking, yelling, howling in fear
        """,
        ("elements", "fireworks"): "firework, fireworks display, new year fireworks, firework display, pyrotechnics",
        ("elements", "balloons"): """
            coloured balloons, colourful balloons, bunch of balloons, balloon, birthday, birthdays, birthday party,
            birthday parties, children's party, kids' party
        """,
        ("elements", "rainbow"): "rainbows",
        ("elements", "moon"): """
            moon, moonlight, moonlit, crescent moon, half moon, moonrise, full moon, crescent, moonbeams, blood moon,
            new moon, harvest moon
        """,
        (
            "elements",
            "starry sky",
        ): """
            stars, starry, starlight, starlit, milky way, night sky, starry night, constellation, constellations,
            shooting star, shooting stars, meteor shower, galaxy, star
        """,
        ("elements", "tornado"): "tornadoes, waterspout, cyclone",
        ("elements", "crows"): "murder of crows, circling crows, vultures, rooks, circling birds",
        ("elements", "kites"): "kite, flying a kite, flying kite",
        ("elements", "confetti"): "streamers, paper streamers, glitter",
        ("elements", "sparks"): "embers, fireflies, glowing embers, glow worms",
        ("elements", "racing clouds"): "fast-moving clouds, drifting clouds, scudding clouds",
        ("elements", "drifting leaves"): "leaves in the wind, fallen leaves, swirling leaves, leaves falling",
        ("elements", "eruption"): "eruption, volcanoes, lava, volcanic, erupting",
        ("elements", "rocket"): """
            rocket, space shuttle, spaceship launch, rocket taking off, rocket lifting off, space launch, lift-off,
            liftoff, missile
        """,
        ("elements", "lonely figure"): "hunched person, huddled person, crouching figure, mourner, mourning figure",
        ("elements", "stampede"): "stampedes, galloping herd, wild horses galloping, running horses, stampeding herd",
        ("elements", "carnival"): """
            fair, ferris wheels, amusement park, roller coaster, rollercoaster, merry-go-round, carousel, theme park,
            circus, big wheel, fun fair, county fair, festival
        """,
        ("elements", "ruins"): "ruin, ruined, ruined castle, ruined church, ruined temple, ancient ruins, ruined city",
        (
            "elements",
            "cottage",
        ): """
            cottages, cabins, huts, shack, log cabin, shed, fisherman's hut, fishing hut, beach hut, hovel, lodge,
            wooden hut, wooden cabin, boathouse, shepherd's hut
        """,
        (
            "elements",
            "dancing crowd",
        ): "rave, party, celebration, dance party, dancing crowds, disco, dance floor, people dancing",
        ("elements", "parade"): "parades, marching band, processions, brass band, street festival",
        ("elements", "lone window"): """
            lit window, lighted window, light in the window, lone window, lit windows, glowing window, glowing
            windows, lighted windows, window light, light in a window, lights in the windows
        """,
        (
            "elements",
            "graves",
        ): """
            cemetery, grave, tomb, tombs, gravestone, tombstone, headstones, headstone, churchyard, burial ground,
            mausoleum, crypt
        """,
        ("elements", "fire"): """
            burning, inferno, forest fire, flame, wildfires, on fire, ablaze, in flames, fires, burning house
        """,
        ("elements", "sunbeams"): """
            light rays, sun beams, sunbeam, sunrays, rays of light, rays of sunlight, shafts of light, beams of light,
            ray of light, sun's rays, ray of sunshine, god rays
        """,
        ("elements", "wreck"): """
            shipwreck, car wreck, wrecked car, crash, debris, rubble, sunken ship, burnt-out car, wrecked ship, plane
            crash, car crash, rusty car, abandoned car, rusting car, broken car
        """,
        ("elements", "bare trees"): "bare tree, dead tree, leafless tree, bare branches, withered trees, withered tree",
        ("elements", "lanterns"): """
            lantern, chinese lanterns, sky lanterns, fairy lights, string lights, street lamps, street lamp,
            streetlamp, streetlight, streetlights, street lights, christmas lights, lamps, lamp
        """,
        (
            "elements",
            "flowers",
        ): """
            cherry blossoms, blossoming, blooming, flowering, flowery, wild flowers, flower petals, cherry blossom, in
            bloom, petals, in full bloom, blossoms, field flowers
        """,
        ("elements", "pond"): "ponds, puddle, duck pond, water lilies, puddles, swimming pool, pool, garden pond",
        ("elements", "still water"): "calm water, calm sea, mirror-like water, placid water, calm waters, still waters",
        ("elements", "hammock"): "hammocks",
        ("elements", "sleeping cat"): "cat asleep, cat napping, sleeping kitten",
        ("elements", "sunlit path"): "sunny path, sunlit paths, bright path, sunny trail",
        ("elements", "candles"): "candle, candle flame, tealights, burning candle",
        ("elements", "empty swing"): "swing, swings, abandoned swing, swing set, rope swing",
        ("elements", "wilted flowers"): """
            dead flowers, wilting flowers, wilted rose, withered rose, dying flowers, wilted roses, faded flowers,
            wilting rose, withered roses, dried flowers
        """,
        ("elements", "surf"): """
            waves, wave, big waves, rough sea, ocean waves, breakers, rough seas, stormy seas, rolling
            waves, huge waves, giant wave, roaring sea
        """,
        (
            "elements",
            "jumping children",
        ): """
            children playing, kids playing, playing kids, children jumping, jumping kids, children at play, skipping
            children
        """,
    }.items()
}
"""Words that are understood in a user's text but never written by a caption."""

KIND_WORDS: dict[tuple[str, str], frozenset[str]] = {
    key: frozenset(listed(text))
    for key, text in {
        ("person", "woman"): """
            woman, women, lady, ladies, mother, mum, mom, mommy, wife, sister, aunt, nun,
            waitress, cowgirl, girlfriend, actress, housewife, widow, goddess, ballerina, mermaid, heroine,
            girl, girls, hostess, maid, duchess, stewardess, landlady, priestess, seamstress
        """,
        ("person", "chef"): "chef, chefs, cook, cooks, baker, bakers, pastry",
        ("person", "farmer"): "farmer, farmers, peasant, peasants, gardener, gardeners, shepherd, shepherds, scarecrow",
        ("person", "king"): "king, kings, emperor, prince, princes",
        ("person", "queen"): "queen, queens, empress, princess, princesses",
        ("person", "astronaut"): "astronaut, cosmonaut, spaceman, spacewoman",
        ("person", "robot"): "robot, android, cyborg",
        ("person", "wizard"): "wizard, sorcerer, magician, warlock, mage",
        ("person", "witch"): "witch, sorceress, enchantress",
        ("person", "pirate"): "pirate, buccaneer",
        ("person", "clown"): "clown, jester",
        ("person", "knight"): "knight, crusader",
        ("person", "doctor"): "doctor, nurse, surgeon, physician, dentist, paramedic",
        ("person", "police officer"): "policeman, policewoman, police, cop, sheriff, constable",
        ("person", "firefighter"): "firefighter, fireman, firewoman",
        ("person", "bride"): "bride",
        ("horse", "unicorn"): "unicorn",
        ("cat", "lion"): "lion, lions, lioness",
        ("cat", "tiger"): "tiger, tigers",
        ("horse", "zebra"): "zebra, zebras",
        ("horse", "donkey"): "donkey, donkeys, mule, mules, burro",
        ("airplane", "helicopter"): "helicopter, helicopters, chopper",
        ("sitter", "woman"): "woman, women, lady, girl, mother",
        ("runner", "man"): "man, men, boy, guy, father, gentleman, king, prince, sportsman",
        ("dancer", "man"): "man, men, boy, guy, father, gentleman, king, prince",
        ("child", "girl"): "girl, girls, schoolgirl, daughter, daughters, granddaughter, lass",
        ("child", "boy"): "boy, boys, schoolboy, son, sons, grandson, lad",
        ("old man", "old woman"): """
            woman, women, lady, ladies, grandmother, grandmothers, grandma, granny, great-grandmother, nan, nana, witch
        """,
        ("bird", "gull"): "gull, gulls, seagull, seagulls, albatross, tern",
        ("bird", "crow"): "crow, raven, blackbird, jackdaw, rook, vulture, starling, starlings",
        ("bird", "parrot"): "parrot, parrots, macaw, parakeet, budgerigar, budgie, cockatoo, lovebird, toucan",
        ("bird", "chicken"): "chicken, chickens, hen, hens, rooster, roosters, cockerel",
        ("bird", "penguin"): "penguin, penguins, puffin",
        ("deer", "doe"): "doe, does, roe, fawn, fawns, bambi, hind",
        ("bear", "polar bear"): "polar",
        ("bear", "panda"): "panda, pandas",
        ("car", "taxi"): "taxi, taxis, cab, cabs",
        ("bicycle", "motorcycle"): """
            motorbike, motorbikes, motorcycle, motorcycles, moped, vespa, scooter, scooters, motorscooter
        """,
        ("statue", "snowman"): "snowman, snowmen",
        ("flower", "sunflower"): "sunflower, sunflowers",
        ("flower", "daisy"): "daisy, daisies, marguerite, camomile",
        ("house", "cabin"): "cabin, cabins, hut, huts, shack, chalet, shed, cottage, cottages, log",
        (
            "tree",
            "conifer",
        ): "pine, fir, spruce, cypress, cedar, larch, conifer, christmas, evergreen, pines, firs, yew",
        (
            "boat",
            "rowing boat",
        ): "rowing, rowboat, rowboats, dinghy, canoe, canoes, kayak, kayaks, raft, gondola, rubber",
        ("truck", "pickup"): "pickup, pickups, pick-up",
        ("truck", "fire engine"): "fire, engine, engines, firetruck",
        ("truck", "tractor"): "tractor, tractors, bulldozer, combine",
    }.items()
}
"""Words that name a kind of a subject wherever they stand in its phrase: 'an old [woman]', 'a [pine] tree'."""
AMBIGUOUS = frozenset(listed("police, pastry, cook, cooks"))
"""Words of kinds of people that alone may mean something else."""

PAIRS: dict[str, str] = {
    word: concept
    for concept, text in {
        "child": """
            boy and girl, boy and a girl, girl and boy, girl and a boy, brother and sister, boy and his sister, girl
            and her brother, twins, twin
        """,
        "person": "two friends",
    }.items()
    for word in listed(text)
}
"""Words for two of a kind; children are a boy and a girl then."""

YOUNG: dict[str, str] = {
    word: concept
    for concept, text in {
        "dog": "puppy, pup, puppy dog",
        "cat": "kitten",
        "horse": "foal, pony, colt",
        "deer": "fawn",
        "cow": "calf",
        "sheep": "lamb",
        "bear": "cub, bear cub",
        "duck": "duckling, baby duck",
        "swan": "cygnet",
        "bird": "chick, baby bird, nestling, fledgling",
        "elephant": "baby elephant",
        "fox": "fox cub, fox kit",
        "wolf": "wolf pup, wolf cub",
        "tree": "sapling",
        "rabbit": "baby rabbit, baby bunny",
        "owl": "baby owl",
    }.items()
    for word in listed(text)
}
"""Words for a small one of its kind."""

CROWDS: dict[str, str] = {
    "crowd": "person",
    "crowds": "person",
    "crowd of people": "person",
    "group of friends": "person",
    "group of people": "person",
    "passers-by": "person",
    "class of children": "child",
    "traffic jam": "car",
}
"""Words for many of a kind; a picture shows three."""

COLOURS_TYPED: dict[str, tuple[str, ...]] = {
    colour: listed(text)
    for colour, text in {
        "red": "crimson, scarlet, ruby, maroon, burgundy, reddish, cherry red, vermilion, bright red, dark red, ruddy",
        "orange": "ginger, amber, tangerine, bright orange, copper, orange-coloured, rust-coloured",
        "yellow": "golden, gold, blond, blonde, lemon, bright yellow, yellowish, mustard",
        "green": "emerald, olive, lime, teal, greenish, dark green, bright green, light green, mint, verdant",
        "blue": """
            navy, azure, turquoise, cyan, cobalt, indigo, light blue, dark blue, sky blue, bluish, bright blue, navy
            blue, deep blue, sapphire, pale blue
        """,
        "purple": "violet, lilac, mauve, magenta, plum, lavender-coloured",
        "pink": "rosy, pinkish, salmon pink, hot pink, bright pink, fuchsia",
        "brown": "tan, beige, chestnut-coloured, hazel, chocolate, bronze, brownish, tawny, khaki, sandy-coloured",
        "black": "jet-black, jet black, ebony, pitch-black, pitch black, coal-black",
        "white": "snow-white, ivory, whitewashed, cream-coloured, whitish, snow white",
        "grey": "silver, silvery, charcoal, greyish, ash-grey, dark grey, light grey",
    }.items()
}
SIZES_TYPED: dict[str, tuple[str, ...]] = {
    "small": listed(
        "small, little, tiny, wee, miniature, short, mini, petite, minuscule, smallish, baby-sized, cute little"
    ),
    "large": listed("""
        large, big, huge, giant, tall, gigantic, enormous, massive, great, towering, colossal, immense, oversized,
        mighty, monumental, larger, bigger, vast
    """),
}
COUNTS_TYPED: dict[int, tuple[str, ...]] = {
    2: listed("two, 2, a pair of, pair of, a couple of, couple of, both, twin, two of"),
    3: listed("""
        three, 3, several, many, a few, few, four, five, six, seven, eight, nine, ten, some, a group of, group of, a
        flock of, flock of, a herd of, herd of, a pack of, pack of, a row of, row of, a crowd of, crowd of, dozens of,
        a dozen, lots of, a lot of, a bunch of, bunch of, hundreds of, various, multiple, numerous, a line of, line
        of, a swarm of, swarm of, a fleet of, fleet of, a school of, school of, a trio of, trio of, a team of, team of
    """),
}
ACTIONS: dict[str, str] = {
    word: concept
    for concept, text in {
        "runner": "running, runs, jogging, jogs, sprinting, sprints, racing, races",
        "sitter": "sitting, sits, seated, sat, kneeling, crouching, lying, lies, meditating, meditates, relaxing",
        "dancer": "dancing, dances, waltzing, twirling, pirouetting",
    }.items()
    for word in listed(text)
}
"""What a person does that makes another subject of them."""

DOINGS: dict[str, tuple[str, ...]] = {
    word: listed(places)
    for places, words in {
        "kitchen": """
            cooking, cooks, baking, bakes, washing dishes, dirty dishes, kitchen sink, the sink, oven, stove, fridge,
            dough, dinner, breakfast, soup, pancakes, plumber, recipe, frying, washing up
        """,
        "cafe, kitchen": "lunch, supper, spaghetti, pizza, sandwich, eating together",
        "cafe": """
            coffee, waiter, waitress, barista, restaurant, menu, cappuccino, espresso, croissant, playing chess,
            bartender
        """,
        "bedroom": """
            sofa, couch, armchair, rocking chair, knitting, knits, television, tv, video game, video games, homework,
            pillow, lullaby, piano, violin, desk, computer, laptop, librarian, bookshelf, shelves, classroom, teacher,
            living room, fish tank, glass tank, aquarium, attic, jigsaw, toys, sewing, easel, studio, hospital bed
        """,
        "park, meadow, garden": """
            picnic, frisbee, football, soccer, baseball, cricket, badminton, rugby, volleyball, hide and seek,
            hopscotch, treehouse, tree house, seesaw, trampoline, yoga, pigeons, squirrel, squirrels, ice cream,
            lemonade, tricycle, bubbles, skipping, playing ball, beach ball, with a ball, skipping rope
        """,
        "park": "park bench, park benches",
        "park, street": "skateboard, skateboarding, skateboarder, roller skates, roller skating, basketball",
        "garden": """
            gardening, watering, planting, weeding, lawn mower, mowing, barbecue, carrots, vegetables, tomatoes,
            beehive, beekeeper, garden hose
        """,
        "seaside, island": """
            surfing, surfer, surfboard, sandcastle, sand castle, sunbathing, seashell, seashells, snorkeling,
            snorkelling, lifeguard, mermaid
        """,
        "seaside, lake, river": "swimming, swims, swimmer, diving, diver",
        "lake, river": """
            fishing, fisherman, angler, rowing, canoe, canoeing, kayak, kayaking, paddling, lily pad, frog, frogs,
            beaver, otter, watering hole, skating, ice skating, ice skater
        """,
        "harbour, seaside": "sailor, sailors, sailing, sea captain, anchor, ferry, yacht",
        "mountains": """
            hiking, hiker, hikers, hikes, rock climbing, mountain climbing, climber, climbers, mountaineer, skiing,
            skier, skiers, ski, snowboarding, snowboarder, sledding, sledging
        """,
        "mountains, meadow, farm": "shepherd, shepherds",
        "mountains, park, village": "snowball, snowballs, sled, sledge",
        "forest": "mushroom, mushrooms, lumberjack, woodcutter, marshmallow, marshmallows, forest ranger",
        "farm": "milking, milks, harvesting, ploughing, plowing, hay, scarecrow, pumpkin, pumpkins, pig, pigs",
        "farm, meadow, garden": "fence, gate",
        "street, city": """
            shopping, shop, shops, store, supermarket, groceries, library, mailman, postman, mail carrier, barber,
            hairdresser, busker, traffic, train station, fire station, the station, hospital, the school, schoolyard,
            bakery, construction, builder, businessman, businesswoman, office worker, commuter, commuters, delivering,
            graffiti, protest, mayor, lawyer, cinema, theatre, theater
        """,
        "road, street, city": "driving, drives, hitchhiking, hitchhiker, marathon, cycling, cyclist",
        "park, garden, village, seaside": "wedding, groom, newlyweds, proposing",
        "street, park, city": """
            concert, festival, brass band, singer, singing, sings, guitar, drums, trumpet, musician, juggler, juggling
        """,
    }.items()
    for word in listed(words)
}
"""Where one expects what people do, and things that the world cannot draw; it decides where no place is named."""
DONE_BY_PEOPLE = listed("singing, sings, driving, drives, diving, swimming, swims, drums, skipping, frying, bubbles")
"""Doings that say nothing of the place where it is not people who do it: a robin sings."""

NEGATIONS = frozenset(listed("no, not, without, never, nor, neither, isn't, aren't, wasn't, minus, lacking, devoid"))

FUNCTION = frozenset(
    listed("""
        a, an, the, and, or, but, of, to, for, from, in, on, at, by, with, within, into, onto, upon, over, under,
        above, below, behind, beside, besides, between, beyond, through, across, along, around, about, against, among,
        amongst, amid, amidst, near, next, nearby, inside, outside, off, out, up, down, past, toward, towards,
        beneath, underneath, opposite, during, before, after, until, till, since, while, as, when, where, that, which,
        who, whose, whom, this, these, those, it, its, it's, he, she, they, them, his, her, hers, their, theirs, my,
        your, our, we, i, you, me, us, him, himself, herself, itself, themselves, one, another, other, others, each,
        every, all, any, is, are, was, were, be, been, being, am, has, have, had, having, do, does, did, can, could,
        will, would, shall, should, may, might, must, there, there's, here, then, than, so, such, like, too, very,
        just, only, also, still, yet, even, quite, rather, really, so, more, most, much, less, least, again, ever,
        always, often, once, now, soon, almost, nearly, half, if, because, how, what, why, not, no, without, never,
        nor, neither, isn't, aren't, both, either, via, per, versus, front, back, left, right, side, top, bottom,
        middle, centre, center, edge, end, foreground, background, distance, horizon, sky, skies, air, ground, s,
        o'clock, together, alone, apart, away, away, far, close, closer, everywhere, somewhere, anywhere, somewhat,
        let's, that's, i'm, what's, she's, he's, they're, we're, i've, don't, doesn't, didn't, i'd, i'll, you're,
        ahead, aside, aboard, ashore, whole, own, same, own, afar, overhead, midst, surrounded, covered, filled, full,
        set, lot, lots, kind, sort, type, piece
    """)
)
FILLERS = frozenset(
    listed("""
        beautiful, pretty, lovely, nice, good, great, wonderful, gorgeous, stunning, amazing, magnificent, splendid,
        charming, picturesque, scenic, idyllic, quaint, cosy, cozy, elegant, graceful, majestic, grand, glorious,
        perfect, fine, old, young, new, ancient, modern, aged, elderly, vintage, antique, rustic, rural, wooden,
        stone, brick, metal, iron, typical, traditional, simple, plain, ordinary, common, classic, single, lone,
        lonely, solitary, quiet, silent, calm, peaceful, tranquil, serene, still, gentle, soft, mild, light, heavy,
        strong, thick, thin, dense, deep, high, low, long, wide, narrow, broad, steep, open, closed, empty, busy,
        crowded, bustling, lively, wild, tame, free, fast, slow, quick, slowly, quickly, quietly, gently, softly,
        peacefully, happily, silently, suddenly, calmly, lazily, proudly, gracefully, happy, sad, joyful, cheerful,
        gloomy, melancholy, melancholic, angry, scary, spooky, eerie, creepy, haunting, dramatic, romantic, dreamy,
        magical, mysterious, mystical, enchanted, atmospheric, moody, nostalgic, sombre, somber, bleak, tense,
        exciting, funny, cute, adorable, sweet, fluffy, furry, friendly, brave, proud, strange, weird, odd, unusual,
        rare, famous, favourite, favorite, best, first, last, final, little, big, warm, cool, cold, hot, fresh, wet,
        dry, dusty, sandy, grassy, rocky, muddy, leafy, lush, overgrown, shady, sunny, natural, real, realistic,
        detailed, abandoned, deserted, forgotten, hidden, distant, remote, faraway, isolated, local, public, private,
        large, small, fallen, broken, old-fashioned, worn, weathered, rusty, faithful, loyal, lost, stray, tired,
        weary, sleepy, hungry, curious, playful, wandering, fishing, walking, walks, walk, walked, standing, stands,
        stand, stood, strolling, strolls, stroll, going, goes, go, coming, comes, come, moving, moves, move, passing,
        passes, pass, crossing, crosses, cross, heading, heads, travelling, traveling, travels, flying, flies, fly,
        flew, soaring, gliding, floating, floats, drifting, drifts, sailing, sails, swimming, swims, driving, drives,
        parked, riding, rides, parking, waiting, waits, wait, watching, watches, watch, looking, looks, look, gazing,
        gazes, staring, stares, seen, sees, see, facing, faces, overlooking, leading, leads, winding, winds,
        stretching, rising, rises, setting, falling, falls, hanging, hangs, hung, leaning, leans, resting, rests,
        growing, grows, towering, shining, shines, glowing, glows, glow, gleaming, glittering, sparkling, shimmering,
        twinkling, flickering, illuminated, lit, reflecting, reflected, reflection, reflections, holding, holds, hold,
        carrying, carries, playing, plays, play, enjoying, enjoys, enjoy, exploring, wandering, wanders, roaming,
        roams, grazing, grazes, perched, perching, perches, chasing, chases, following, follows, hugging, kissing,
        embracing, hand, hands, arm, arms, holding hands, climbing, sit, run, dance, sleep, stop, stops, stopped,
        stopping, making, makes, make, taking, takes, take, getting, gets, keeping, picture, pictures, image, images,
        photo, photos, photograph, photographs, scene, scenes, view, views, painting, drawing, illustration, sketch,
        poster, shot, landscape, landscapes, scenery, panorama, snapshot, portrait, style, mood, feeling, feel,
        atmosphere, light, lighting, lights, day, days, time, season, moment, hour, hours, weather, place, spot,
        world, year, years, week, today, weekend, holiday, vacation, summer's, winter's, please, show, draw, paint,
        create, want, hello, imagine, thing, things, something, area, corner, part, way, around, home, outdoors,
        outside, water, waters, earth, land, nature, shape, shapes, colour, colours, coloured, shade, shades, tone,
        tones, hue, hues, tint, pale, bright, light, dark, rich, faint, subtle, slight, slightly, fully, completely,
        gorgeously, beautifully, brightly, barely, surrounding, surrounds, beside, lined, blowing, blows, pouring,
        pours, roaring, crashing, swaying, sways, rustling, rippling, flowing, flows, running, rolling, falling,
        drizzly, passing, evening, well, made, built, painted, dressed, called, named, shaped, covering, covers,
        coming, bringing, brings, heading, stuck, sound, sounds, noise, silence, rest, peace, life, love, joy, alone,
        forlorn, tiny, weathered, cobbled, cobblestone, paved, tree-lined, moored, anchored, docked, bobbing, nestled,
        leafless, blossomed, tied, left, live, lives, lived, living, alive, dead, dying, burned, sitting, seated,
        lying, jumping, jumps, jump, leaping, leaps, hopping, hops, returning, returns, arriving, arrives, leaving,
        leaves, departing, departs, approaching, entering, enters, landing, lands, taking off, rushing, hurrying,
        hurries, speeding, trotting, galloping, gallops, trots, prowling, hunting, stalking, hiding, hides, peeking,
        peeks, lurking, barking, singing, sings, howling, howls, hooting, hoots, chirping, calling, bare, gathered,
        gathering, gathers, meeting, meets, meet, talking, talks, chatting, whispering, dreaming, thinking,
        remembering, listening, rowing, paddling, fluttering, flutters, turning, turns, clear, early, late, older,
        younger, newer, flat, rolls, roll, race, gather, lay, tropical, scottish, irish, english, french, italian,
        german, dutch, greek, spanish, japanese, chinese, indian, african, american, european, asian, russian, swiss,
        nordic, mexican, british, viennese, bavarian, venetian, waving, waves goodbye, rages, raging, strikes,
        circling, blazing, resting, unfinished, cinematic, anime, manga, minimalist, minimalistic, minimal,
        impressionist, impressionistic, expressionist, surreal, surrealist, surrealistic, abstract, hyperrealistic,
        photorealistic, hyperrealism, realism, painterly, stylized, stylised, isometric, artstation, masterpiece,
        bokeh, hd, uhd, hdr, 4k, 8k, 35mm, 3d, retro, whimsical, ethereal, digital, rendered, gouache, handmade,
        hand-drawn, hand-painted, aesthetic, artistic, swept, secret, school's, coastal, freezing, beaten, sized, trip,
        danger, flight, splashing, gathering, hovering, cosily, neatly, nearby, homeward, homewards, onward, eve
    """)
)
"""Understood, but nothing that is drawn on its own."""

STYLE_WORDS = frozenset(
    listed("""
        picture, pictures, image, photo, photos, photograph, painting, paintings, drawing, drawings, illustration,
        sketch, poster, scene, view, shot, snapshot, watercolour, watercolor, watercolours, watercolors, artwork,
        gouache, woodcut, linocut, etching, engraving, collage, render, rendering, photography, cartoon, comic, doodle,
        polaroid, closeup, wallpaper
    """)
)
"""Words for the picture itself."""

STYLES = listed("""
    oil painting, oil on canvas, acrylic painting, ink drawing, ink painting, pencil drawing, pencil sketch, chalk
    drawing, crayon drawing, charcoal drawing, charcoal sketch, pastel drawing, pastel painting, sand painting, digital
    art, digital painting, digital illustration, concept art, line art, pixel art, vector art, vector graphics, flat
    design, clip art, folk art, pop art, fine art, art deco, art nouveau, art style, low poly, 3d render, 3d rendering,
    matte painting, stained glass, paper cut, paper art, picture book, story book, children's book illustration, comic
    book, film still, film grain, movie still, 35mm film, studio ghibli, unreal engine, octane render, trending on
    artstation, highly detailed, ultra detailed, intricate details, high quality, best quality, high resolution,
    ultra hd, wide shot, wide angle, wide-angle, close-up, close up, close shot, long shot, aerial shot, aerial view,
    bird's-eye view, depth of field, shallow depth of field, tilt shift, double exposure, long exposure, award winning,
    award-winning, rule of thirds, national geographic, ukiyo-e, van gogh, claude monet, monet, hopper, hockney,
    miyazaki
""")
"""Words about how a picture is made: understood, and nothing that is drawn."""
