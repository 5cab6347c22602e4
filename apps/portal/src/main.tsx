// SPDX-License-Identifier: Apache-2.0
import { createRoot } from 'react-dom/client';

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<p>portal</p>);
