// The Vercel AI SDK with one user's calendar over MCP.
//
// In a checkout: pip install .; npm install ai @ai-sdk/mcp @ai-sdk/openai; set OPENAI_API_KEY.

import { createInterface } from 'node:readline';

import { createMCPClient } from '@ai-sdk/mcp';
import { StdioMCPTransport } from '@ai-sdk/mcp/mcp-stdio';
import { openai } from '@ai-sdk/openai';
import { ToolLoopAgent } from 'ai';

const now = new Date();
const today = `${now.toLocaleDateString('en', { weekday: 'long' })} ${now.toLocaleDateString('sv')}`;

const transport = new StdioMCPTransport({ command: 'scalekit-mcp', args: ['serve', '--sandbox'] });
const server = await createMCPClient({ transport });
try {
  const agent = new ToolLoopAgent({
    model: openai('gpt-4o'),
    instructions: `You schedule meetings in Outlook. Today is ${today}. Addresses end in @company.com.
When a tool gives an authorization link, show it to the user.`,
    tools: await server.tools(),
  });
  // One question a line, in one session.
  for await (const question of createInterface({ input: process.stdin })) {
    const { text } = await agent.generate({ prompt: question });
    console.log(text);
  }
} finally {
  await server.close();
}
