// SPDX-License-Identifier: Apache-2.0
// What people, streets and numbers look like in the countries of the demonstration. All of it is made
// up; mail domains are under `.example` (RFC 2606) and reach nobody.

/** One country's material. A name may carry its Latin spelling after a bar: `陽子|yoko`. */
export interface Market {
  /** ISO 3166-1 alpha-2 in lower case; the United Kingdom is `uk`. */
  readonly country: string;
  /** What the country is called in the shop's forms. */
  readonly countryName: string;
  /** Share of customers, relative to the others. */
  readonly weight: number;
  readonly given: readonly string[];
  readonly family: readonly string[];
  readonly streets: readonly string[];
  /** City and the first digits of its postcodes, as `city|prefix`. */
  readonly cities: readonly string[];
  /** `#` is a digit, `^` a letter. */
  readonly postcode: string;
  readonly phone: string;
  /** `{street}`, `{number}`: how an address line is written. */
  readonly line: string;
  readonly isFamilyNameFirst?: boolean;
  readonly mailDomains: readonly string[];
  readonly currency: string;
}

const words = (text: string): readonly string[] => text.split(',');

interface Row {
  readonly of: string;
  readonly weight: number;
  readonly given: string;
  readonly family: string;
  readonly streets: string;
  readonly cities: string;
  readonly postcode: string;
  readonly phone: string;
  readonly line?: string;
  readonly mail: string;
  readonly currency?: string;
  readonly isFamilyNameFirst?: boolean;
}

function toMarket({ of, line, currency, isFamilyNameFirst, mail, ...row }: Row): Market {
  const [country = '', countryName = ''] = of.split(':');
  return {
    country,
    countryName,
    weight: row.weight,
    given: words(row.given),
    family: words(row.family),
    streets: words(row.streets),
    cities: words(row.cities),
    postcode: row.postcode,
    phone: row.phone,
    line: line ?? '{street} {number}',
    mailDomains: words(mail),
    currency: currency ?? 'EUR',
    ...(isFamilyNameFirst === undefined ? {} : { isFamilyNameFirst }),
  };
}

const NUMBER_FIRST = '{number} {street}';

const EURO_WEST: readonly Row[] = [
  {
    of: 'de:Germany',
    weight: 190,
    given: 'Anna,Lukas,Jürgen,Käthe,Sören,Björn,Heike,Matthias,Ülkü,Greta,Jonas,Sabine',
    family: 'Müller,Schröder,Weiß,Krüger,Schäfer,Vogel,Böhm,Yılmaz,Groß,Lindner,Hoffmann',
    streets: 'Lindenstraße,Goethestraße,Am Mühlbach,Königsallee,Gartenweg,Straße des 17. Juni',
    cities: 'Köln|50,München|80,Düsseldorf|40,Görlitz|02,Berlin|10,Leipzig|04',
    postcode: '#####',
    phone: '+49 151 2#######',
    mail: 'post.example,netz.example',
  },
  {
    of: 'fr:France',
    weight: 120,
    given: 'Zoé,François,Chloé,Jérôme,Agnès,Noël,Margaux,Thibault,Anaïs,Rémy,Océane',
    family: "Lefèvre,Bélanger,Dupont,Garnier,Chevalier,N'Diaye,Fontaine,Hérault,Le Goff,Mercier",
    streets: 'rue de la République,avenue Foch,impasse des Lilas,quai Saint-Michel,rue Hoche',
    cities: 'Lyon|69,Orléans|45,Saint-Étienne|42,Nîmes|30,Paris|75,Besançon|25',
    postcode: '#####',
    phone: '+33 6 39 98 ## ##',
    line: NUMBER_FIRST,
    mail: 'courriel.example,poste.example',
  },
  {
    of: 'ie:Ireland',
    weight: 60,
    given: 'Aoife,Seán,Niamh,Pádraig,Siobhán,Oisín,Caoimhe,Eoghan,Róisín',
    family: "O'Sullivan,Ní Bhriain,Byrne,Mac Giolla,O'Neill,Walsh,Kavanagh,Doyle",
    streets: 'Main Street,Patrick Street,Quay Lane,Abbey Road,Sráid Mhór',
    cities: 'Dublin|D0,Cork|T1,Galway|H9,Dún Laoghaire|A9',
    postcode: '# ^^##',
    phone: '+353 85 ### ####',
    line: NUMBER_FIRST,
    mail: 'litir.example',
  },
  {
    of: 'nl:Netherlands',
    weight: 70,
    given: 'Daan,Sanne,Thijs,Fleur,Joris,Noortje,Bram,Maaike,Siem',
    family: 'de Vries,van den Berg,Jansen,Bakker,Visser,van Dijk,Dekker,Smit',
    streets: 'Kerkstraat,Dorpsstraat,Prinsengracht,Molenweg,Stationsplein',
    cities: 'Utrecht|35,Amsterdam|10,’s-Hertogenbosch|52,Groningen|97',
    postcode: '## ^^',
    phone: '+31 6 ########',
    mail: 'brief.example',
  },
  {
    of: 'be:Belgium',
    weight: 50,
    given: 'Lotte,Wout,Élise,Bart,Noé,Femke,Benoît,Anneleen',
    family: 'Peeters,Janssens,Lambert,Claes,Dubois,Maes,Wouters,Dufour',
    streets: 'Grote Markt,rue Neuve,Veldstraat,Stationsstraat,chaussée de Wavre',
    cities: 'Gent|90,Liège|40,Antwerpen|20,Brussel|10',
    postcode: '##',
    phone: '+32 47# ## ## ##',
    mail: 'brief.example,courriel.example',
  },
  {
    of: 'at:Austria',
    weight: 40,
    given: 'Maximilian,Lena,Wolfgang,Gerti,Xaver,Hedwig,Leopold,Resi',
    family: 'Gruber,Huber,Pichler,Moser,Steiner,Fürst,Öllinger,Wögerbauer',
    streets: 'Mariahilfer Straße,Ringstraße,Getreidegasse,Am Graben',
    cities: 'Wien|10,Graz|80,Sankt Pölten|31,Klagenfurt|90',
    postcode: '##',
    phone: '+43 664 #######',
    mail: 'post.example',
  },
  {
    of: 'lt:Lithuania',
    weight: 30,
    given: 'Jonas,Ona,Vytautas,Eglė,Žygimantas,Rūta,Šarūnas,Ieva',
    family: 'Kazlauskas,Petrauskienė,Jankauskas,Žukauskaitė,Šimkus,Butkus',
    streets: 'Gedimino prospektas,Laisvės alėja,Vilniaus gatvė,Ąžuolų gatvė',
    cities: 'Vilnius|LT-01,Kaunas|LT-44,Šiauliai|LT-76',
    postcode: '###',
    phone: '+370 6## #####',
    mail: 'pastas.example',
  },
];

const EURO_SOUTH_AND_NORTH: readonly Row[] = [
  {
    of: 'es:Spain',
    weight: 90,
    given: 'Lucía,Íñigo,Begoña,Andrés,Núria,Joaquín,Martín,Aránzazu,Sofía',
    family: 'García Núñez,Muñoz,Ibáñez,Peña Ortiz,Castaño,Rodríguez,Echeverría',
    streets: 'Calle Mayor,Avenida de América,Paseo de Gracia,Plaza de España,Carrer Gran',
    cities: 'Madrid|28,A Coruña|15,Cádiz|11,Barcelona|08,Logroño|26',
    postcode: '###',
    phone: '+34 6## ### ###',
    mail: 'correo.example',
  },
  {
    of: 'it:Italy',
    weight: 90,
    given: 'Giulia,Niccolò,Chiara,Matteo,Beatrice,Gabriele,Noemi,Libero',
    family: "Rossi,Bianchi,D'Angelo,Esposito,De Santis,Colombo,Nicolò,Ferrari",
    streets: 'Via Roma,Corso Garibaldi,Piazza della Libertà,Via XX Settembre',
    cities: 'Milano|201,Forlì|471,Napoli|801,Cefalù|900',
    postcode: '##',
    phone: '+39 3## #######',
    mail: 'posta.example',
  },
  {
    of: 'pt:Portugal',
    weight: 50,
    given: 'João,Inês,Gonçalo,Conceição,Tomás,Mafalda,Duarte,Beatriz',
    family: 'Silva,Gonçalves,Simões,Conceição,Magalhães,Brandão,Araújo',
    streets: 'Rua Augusta,Avenida da Liberdade,Travessa do Carmo,Rua de São Bento',
    cities: 'Lisboa|11,Évora|70,Guimarães|48,Portimão|85',
    postcode: '##-###',
    phone: '+351 91# ### ###',
    mail: 'correio.example',
  },
  {
    of: 'pl:Poland',
    weight: 60,
    given: 'Zofia,Łukasz,Małgorzata,Grzegorz,Wojciech,Agnieszka,Żaneta,Bogumił',
    family: 'Kowalczyk,Wiśniewska,Wójcik,Dąbrowski,Zieliński,Jabłońska,Król',
    streets: 'ulica Długa,aleje Jerozolimskie,ulica Świętojańska,plac Wolności',
    cities: 'Łódź|90-,Kraków|30-,Gdańsk|80-,Poznań|60-',
    postcode: '###',
    phone: '+48 5## ### ###',
    mail: 'poczta.example',
    currency: 'PLN',
  },
  {
    of: 'se:Sweden',
    weight: 45,
    given: 'Åsa,Göran,Märta,Björn,Linnéa,Örjan,Elsa,Håkan',
    family: 'Lindström,Sjögren,Åkesson,Björk,Öberg,Nyström,Hägglund',
    streets: 'Storgatan,Kungsgatan,Södra vägen,Björkvägen',
    cities: 'Malmö|21,Göteborg|41,Umeå|90,Örebro|70',
    postcode: '# ##',
    phone: '+46 70 ### ## ##',
    mail: 'brev.example',
    currency: 'SEK',
  },
  {
    of: 'dk:Denmark',
    weight: 30,
    given: 'Søren,Maja,Kåre,Astrid,Jørgen,Freja,Bjørn',
    family: 'Sørensen,Nørgaard,Østergaard,Møller,Kjær,Lund',
    streets: 'Strandvejen,Nørregade,Åboulevarden,Søndergade',
    cities: 'København|21,Århus|80,Ålborg|90,Helsingør|30',
    postcode: '##',
    phone: '+45 ## ## ## ##',
    mail: 'brev.example',
    currency: 'DKK',
  },
  {
    of: 'fi:Finland',
    weight: 30,
    given: 'Väinö,Päivi,Jyrki,Kyösti,Hilkka,Aino,Minna',
    family: 'Mäkinen,Hämäläinen,Järvinen,Köngäs,Lehtonen,Nyström',
    streets: 'Mannerheimintie,Hämeenkatu,Itäranta,Pääskyläntie',
    cities: 'Helsinki|001,Jyväskylä|401,Hämeenlinna|131',
    postcode: '##',
    phone: '+358 4# #######',
    mail: 'posti.example',
  },
  {
    of: 'cy:Cyprus',
    weight: 20,
    given: 'Ελένη|eleni,Γιώργος|giorgos,Μαρία|maria,Ανδρέας|andreas',
    family: 'Χριστοδούλου|christodoulou,Γεωργίου|georgiou,Παπαδόπουλος|papadopoulos',
    streets: 'Λεωφόρος Μακαρίου,Οδός Λήδρας,Οδός Αγίου Ανδρέα',
    cities: 'Λευκωσία|10,Λεμεσός|30,Πάφος|80',
    postcode: '##',
    phone: '+357 99 ######',
    mail: 'tachydromio.example',
  },
];

const BESIDE_THE_UNION: readonly Row[] = [
  {
    of: 'no:Norway',
    weight: 45,
    given: 'Bjørg,Øystein,Åse,Håvard,Solveig,Sigrid,Kåre',
    family: 'Ødegård,Bjørnson,Hansen,Nygård,Sæther,Åsen',
    streets: 'Karl Johans gate,Bryggen,Fjordveien,Ålesundgata',
    cities: 'Tromsø|90,Bodø|80,Oslo|01,Ålesund|60',
    postcode: '##',
    phone: '+47 4## ## ###',
    mail: 'brev.example',
    currency: 'NOK',
  },
  {
    of: 'is:Iceland',
    weight: 6,
    given: 'Guðrún,Þór,Sigríður,Ólafur,Ásta,Björk',
    family: 'Jónsdóttir,Þórsson,Sigurðsson,Ólafsdóttir,Bjarnadóttir',
    streets: 'Laugavegur,Hverfisgata,Skólavörðustígur',
    cities: 'Reykjavík|10,Akureyri|60,Ísafjörður|40',
    postcode: '#',
    phone: '+354 6## ####',
    mail: 'postur.example',
    currency: 'ISK',
  },
  {
    of: 'ch:Switzerland',
    weight: 45,
    given: 'Urs,Céline,Reto,Giulia,Beat,Noémie,Ruedi,Flurina',
    family: 'Zürcher,Meier,Favre,Bernasconi,Gerber,Caduff,Müller',
    streets: 'Bahnhofstrasse,rue du Rhône,Via Nassa,Chemin des Vignes',
    cities: 'Zürich|80,Genève|12,Lugano|69,Neuchâtel|20',
    postcode: '##',
    phone: '+41 79 ### ## ##',
    mail: 'post.example,courriel.example',
    currency: 'CHF',
  },
  {
    of: 'uk:United Kingdom',
    weight: 180,
    given: 'Olivia,Harry,Angharad,Callum,Priya,Siân,Euan,Beatrix,Oluwaseun,Alfie',
    family: "Smith,O'Connor,Llewellyn,Patel,MacLeod,Okafor,Featherstone,Jones-Parry",
    streets: 'High Street,Church Lane,Station Road,King’s Parade,Heol Fawr',
    cities: 'London|SW1A ,Ynys Môn|LL65 ,Glasgow|G2 ,Norwich|NR1 ',
    postcode: '#^^',
    phone: '+44 7700 900###',
    line: NUMBER_FIRST,
    mail: 'letters.example,mail.example',
    currency: 'GBP',
  },
  {
    of: 'je:Jersey',
    weight: 12,
    given: 'Édouard,Poppy,Clement,Nicolle,Rozel',
    family: 'Le Sueur,de Gruchy,Renouf,Le Brocq',
    streets: 'La Grande Route,Bath Street,Rue des Prés',
    cities: 'Saint Helier|JE2 ,Saint Ouën|JE3 ',
    postcode: '#^^',
    phone: '+44 7797 ######',
    line: NUMBER_FIRST,
    mail: 'letters.example',
    currency: 'GBP',
  },
  {
    of: 'il:Israel',
    weight: 20,
    given: 'נועה|noa,יוסף|yosef,תמר|tamar,איתן|eitan',
    family: 'כהן|cohen,לוי|levi,מזרחי|mizrahi,פרידמן|friedman',
    streets: 'רחוב הרצל,שדרות רוטשילד,רחוב יפו',
    cities: 'תל אביב|61,ירושלים|91,חיפה|31',
    postcode: '#####',
    phone: '+972 5# ### ####',
    mail: 'doar.example',
    currency: 'ILS',
  },
];

const OVERSEAS: readonly Row[] = [
  {
    of: 'us:United States',
    weight: 210,
    given: 'Emily,DeShawn,Renée,José,Madison,Tyler,Aaliyah,Hank,Sofía,Chad',
    family: "Johnson,Nguyen,O'Brien,Martínez,Washington,Kowalski,Begay,St. John",
    streets: 'Main St,Elm St,Martin Luther King Jr Blvd,2nd Ave,Camino Real',
    cities: 'Richmond VA|232,San José CA|951,Española NM|875,New York NY|100',
    postcode: '##',
    phone: '+1 804 555 01##',
    line: NUMBER_FIRST,
    mail: 'mail.example,inbox.example',
    currency: 'USD',
  },
  {
    of: 'us-ca:California',
    weight: 45,
    given: 'Xochitl,Brandon,Mei-Ling,Ángel,Destiny,Kai,Priyanka',
    family: 'Hernández,Lee,Goldberg,Nakamura,Jiménez,Okonkwo',
    streets: 'Sunset Blvd,Mission St,El Camino Real,Cañon Dr',
    cities: 'Los Ángeles CA|900,San Francisco CA|941,La Cañada CA|910',
    postcode: '##',
    phone: '+1 213 555 01##',
    line: NUMBER_FIRST,
    mail: 'mail.example',
    currency: 'USD',
  },
  {
    of: 'ca:Canada',
    weight: 10,
    given: 'Maëlle,Liam,Étienne,Siku,Harpreet,Zachary,Geneviève',
    family: 'Tremblay,Singh,MacDonald,Bouchard,Côté,Wong,Qamaniq',
    streets: 'Yonge Street,rue Sainte-Catherine,chemin Saint-Louis,Bloor Street',
    cities: 'Montréal|H2X ,Toronto|M5V ,Québec|G1R ',
    postcode: '#^#',
    phone: '+1 514 555 01##',
    line: NUMBER_FIRST,
    mail: 'courriel.example,mail.example',
    currency: 'CAD',
  },
  {
    of: 'au:Australia',
    weight: 100,
    given: 'Matilda,Lachlan,Ngaire,Tran,Kirra,Bruce,Siobhan,Jedda',
    family: "Nguyen,Wilson,O'Malley,Papadopoulos,Marika,Campbell,Yunupingu",
    streets: 'George Street,Pitt Street,Wattle Grove,The Esplanade',
    cities: 'Sydney|20,Hobart|70,Wagga Wagga|26,Perth|60',
    postcode: '##',
    phone: '+61 491 570 ###',
    line: NUMBER_FIRST,
    mail: 'mail.example',
    currency: 'AUD',
  },
  {
    of: 'nz:New Zealand',
    weight: 35,
    given: 'Aroha,Māia,Tāne,Wiremu,Charlotte,Hēmi',
    family: 'Te Rangi,Ngata,Wilson,Parata,Tūhoe,Fraser',
    streets: 'Lambton Quay,Ōpāwa Road,Queen Street',
    cities: 'Tauranga|31,Ōtautahi|80,Whangārei|01',
    postcode: '##',
    phone: '+64 21 ### ###',
    line: NUMBER_FIRST,
    mail: 'mail.example',
    currency: 'NZD',
  },
  {
    of: 'jp:Japan',
    weight: 60,
    given: '陽子|yoko,翔太|shota,美咲|misaki,健一|kenichi,さくら|sakura',
    family: '佐藤|sato,鈴木|suzuki,高橋|takahashi,渡辺|watanabe,小林|kobayashi',
    streets: '神南,本町,桜丘町,北野',
    cities: '東京都渋谷区|150-,京都市|604-,札幌市|060-',
    postcode: '####',
    phone: '+81 90 #### ####',
    line: '{street}{number}丁目',
    isFamilyNameFirst: true,
    mail: 'yubin.example',
    currency: 'JPY',
  },
  {
    of: 'bh:Bahrain',
    weight: 8,
    given: 'فاطمة|fatima,يوسف|yusuf,مريم|maryam,خالد|khalid',
    family: 'الخليفة|alkhalifa,الزياني|alzayani,حسن|hassan',
    streets: 'شارع الحكومة,طريق الفاتح',
    cities: 'المنامة|3,المحرق|2',
    postcode: '##',
    phone: '+973 3### ####',
    mail: 'barid.example',
    currency: 'BHD',
  },
];

/** The places of the demonstration. Two of them, Canada and Bahrain, have no home in the retailer's charter. */
export const MARKETS: readonly Market[] = [
  ...EURO_WEST,
  ...EURO_SOUTH_AND_NORTH,
  ...BESIDE_THE_UNION,
  ...OVERSEAS,
].map(toMarket);
