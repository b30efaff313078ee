# Builds the server from a checkout and leaves what it needs to run: docker build -t belay .
FROM node:20-bookworm-slim AS build
WORKDIR /belay
COPY . .
RUN npx --yes pnpm@12.21.0 install --frozen-lockfile
RUN npx --yes pnpm@12.21.0 exec tsc -b packages/server
RUN node packages/server/scripts/bundle.mjs
RUN npx --yes pnpm@12.21.0 --filter @belay/server deploy --prod --legacy /deployed

FROM node:20-bookworm-slim
ENV NODE_ENV=production BELAY_HOST=0.0.0.0 BELAY_PORT=4400 BELAY_DATA=/data
COPY --from=build /deployed /belay
RUN mkdir /data && chown node:node /data
USER node
WORKDIR /belay
VOLUME /data
EXPOSE 4400
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:4400/health/ready').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/bundled/main.js"]
