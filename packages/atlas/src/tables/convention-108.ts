// SPDX-License-Identifier: Apache-2.0
// Parties to Convention 108 of the Council of Europe, with the day it entered into force for each. The
// modernising Protocol (CETS 223, "108+") is a treaty of its own and is not in force for this list.
import type { MembershipWave } from '../row.ts';

const ETS_108 =
  'Convention for the Protection of Individuals with regard to Automatic Processing of Personal Data, ETS 108';

/** Read in the treaty database of the Netherlands (as reproduced with Trb. 2023, 54). */
export const CONVENTION_108_READ: readonly MembershipWave[] = [
  ['1985-10-01', ETS_108, 'de fr no'],
  ['1988-06-01', ETS_108, 'lu'],
  ['1988-07-01', ETS_108, 'at'],
  ['1990-02-01', ETS_108, 'dk'],
  ['1990-08-01', ETS_108, 'ie'],
  ['1991-07-01', ETS_108, 'is'],
  ['1992-04-01', ETS_108, 'fi'],
  ['1993-09-01', ETS_108, 'be'],
  ['1993-12-01', ETS_108, 'nl'],
  ['1994-01-01', ETS_108, 'pt'],
  ['1995-12-01', ETS_108, 'gr'],
  ['1997-07-01', ETS_108, 'it'],
  ['1998-02-01', ETS_108, 'hu'],
  ['2001-09-01', ETS_108, 'lv'],
  ['2001-10-01', ETS_108, 'lt'],
  ['2002-03-01', ETS_108, 'ee'],
  ['2002-06-01', ETS_108, 'cy'],
  ['2002-09-01', ETS_108, 'pl'],
  ['2003-01-01', ETS_108, 'bg'],
  ['2003-06-01', ETS_108, 'mt'],
  ['2004-09-01', ETS_108, 'li'],
  ['2005-06-01', ETS_108, 'al'],
  ['2005-10-01', ETS_108, 'hr'],
  ['2006-04-01', ETS_108, 'ge'],
  ['2006-06-06', ETS_108, 'me'],
  ['2006-07-01', ETS_108, 'ba mk'],
  ['2008-06-01', ETS_108, 'md'],
  ['2008-09-01', ETS_108, 'ad'],
  ['2009-04-01', ETS_108, 'mc'],
  ['2010-09-01', ETS_108, 'az'],
  ['2011-01-01', ETS_108, 'ua'],
  ['2012-09-01', ETS_108, 'am'],
  ['2016-10-01', ETS_108, 'mu'],
  ['2018-10-01', ETS_108, 'cv mx'],
  ['2019-06-01', ETS_108, 'ar'],
  ['2019-09-01', ETS_108, 'ma'],
];

/** Recalled: parties that the copy which was read did not show. */
export const CONVENTION_108_RECALLED: readonly MembershipWave[] = [
  ['1985-10-01', ETS_108, 'es se'],
  ['1987-12-01', ETS_108, 'uk'],
  ['1994-09-01', ETS_108, 'si'],
  ['1998-02-01', ETS_108, 'ch'],
  ['2001-01-01', ETS_108, 'sk'],
  ['2001-11-01', ETS_108, 'cz'],
  ['2002-06-01', ETS_108, 'ro'],
  ['2006-01-01', ETS_108, 'rs'],
  ['2013-08-01', ETS_108, 'uy'],
  ['2013-09-01', ETS_108, 'ru'],
  ['2015-09-01', ETS_108, 'sm'],
  ['2016-09-01', ETS_108, 'tr'],
  ['2016-12-01', ETS_108, 'sn'],
  ['2017-11-01', ETS_108, 'tn'],
];
