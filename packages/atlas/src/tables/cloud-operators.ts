// SPDX-License-Identifier: Apache-2.0
// Who runs the regions of each provider, where that company sits, and whose law reaches it by seat or by
// control. Joint ventures with a minority holder name the holder's country too: the careful reading.
export interface CloudOperator {
  readonly provider: string;
  readonly operator: string;
  readonly operatorJurisdiction: string;
  readonly reachableFrom: readonly string[];
  readonly source: string;
}

const toOperator = (
  provider: string,
  operator: string,
  reachableFrom: readonly [seat: string, ...others: string[]],
  source: string,
): CloudOperator => ({
  provider,
  operator,
  operatorJurisdiction: reachableFrom[0],
  reachableFrom,
  source,
});

export const AWS: CloudOperator = toOperator(
  'aws',
  'Amazon Web Services, Inc. and affiliates',
  ['us'],
  'Amazon Web Services, “Regions and Availability Zones”; botocore partitions.json',
);
export const AWS_SOVEREIGN: CloudOperator = toOperator(
  'aws',
  'AWS European Sovereign Cloud GmbH',
  ['de', 'us'],
  'Amazon, press release of 15.1.2026 on the AWS European Sovereign Cloud (Brandenburg)',
);
export const AWS_SINNET: CloudOperator = toOperator(
  'aws',
  'Beijing Sinnet Technology Co., Ltd.',
  ['cn', 'us'],
  'Amazon Web Services in China, region operators',
);
export const AWS_NWCD: CloudOperator = toOperator(
  'aws',
  'Ningxia Western Cloud Data Technology Co., Ltd.',
  ['cn', 'us'],
  'Amazon Web Services in China, region operators',
);
export const AZURE: CloudOperator = toOperator(
  'azure',
  'Microsoft Corporation and affiliates',
  ['us'],
  'Microsoft Learn, “Azure regions list”',
);
export const AZURE_CHINA: CloudOperator = toOperator(
  'azure',
  'Shanghai Blue Cloud Technology Co., Ltd. (21Vianet)',
  ['cn', 'us'],
  'Microsoft Learn, “Azure operated by 21Vianet”',
);
export const GOOGLE: CloudOperator = toOperator(
  'google-cloud',
  'Google LLC and affiliates',
  ['us'],
  'Google Cloud documentation, “Regions and zones”',
);
export const S3NS: CloudOperator = toOperator(
  's3ns',
  'S3NS SAS (Thales, with Google Cloud as minority holder)',
  ['fr', 'us'],
  'S3NS and Thales, PREMI3NS trusted cloud',
);
export const BLEU: CloudOperator = toOperator(
  'bleu',
  'Bleu SAS (Orange and Capgemini, on Microsoft technology)',
  ['fr'],
  'Bleu, company statements of Orange and Capgemini',
);
export const DELOS: CloudOperator = toOperator(
  'delos',
  'Delos Cloud GmbH (SAP, on Microsoft technology)',
  ['de'],
  'Delos Cloud GmbH, company statements of SAP',
);
export const OVHCLOUD: CloudOperator = toOperator(
  'ovhcloud',
  'OVH SAS (OVH Groupe)',
  ['fr'],
  'OVHcloud, “Public Cloud regions”',
);
export const OVHCLOUD_US: CloudOperator = toOperator(
  'ovhcloud',
  'OVH US LLC',
  ['us', 'fr'],
  'OVHcloud US, “Data centers”; a company apart from OVH SAS',
);
export const SCALEWAY: CloudOperator = toOperator(
  'scaleway',
  'Scaleway SAS (Iliad)',
  ['fr'],
  'Scaleway documentation, “Regions and Availability Zones”',
);
export const OUTSCALE: CloudOperator = toOperator(
  'outscale',
  'Outscale SAS (Dassault Systèmes)',
  ['fr'],
  'OUTSCALE documentation, “About regions and subregions”',
);
export const STACKIT: CloudOperator = toOperator(
  'stackit',
  'STACKIT GmbH & Co. KG (Schwarz Group)',
  ['de'],
  'STACKIT documentation, “Regions and availability zones”',
);
export const IONOS: CloudOperator = toOperator(
  'ionos',
  'IONOS SE',
  ['de'],
  'IONOS Cloud documentation, “Data center regions”',
);
export const HETZNER: CloudOperator = toOperator(
  'hetzner',
  'Hetzner Online GmbH',
  ['de'],
  'Hetzner Docs, “Cloud locations”',
);
export const T_CLOUD: CloudOperator = toOperator(
  't-cloud-public',
  'T-Systems International GmbH (Deutsche Telekom)',
  ['de'],
  'Open Telekom Cloud / T Cloud Public, “Regions and endpoints”',
);
export const EXOSCALE: CloudOperator = toOperator(
  'exoscale',
  'Akenes SA (A1 Telekom Austria)',
  ['ch', 'at'],
  'Exoscale documentation, “Zones”',
);
export const UPCLOUD: CloudOperator = toOperator(
  'upcloud',
  'UpCloud Oy',
  ['fi'],
  'UpCloud documentation, “Locations”',
);
export const INFOMANIAK: CloudOperator = toOperator(
  'infomaniak',
  'Infomaniak Network SA',
  ['ch'],
  'Infomaniak Public Cloud documentation, “Regions”',
);
export const ORACLE_SOVEREIGN: CloudOperator = toOperator(
  'oracle-eu-sovereign',
  'Oracle EU sovereign cloud entities (Oracle Corporation)',
  ['de', 'es', 'us'],
  'Oracle Cloud Infrastructure documentation, “Oracle EU Sovereign Cloud”',
);
